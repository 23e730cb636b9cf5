"""``bihuan settings``: every setting, what it is now, and what it means."""

from datetime import timedelta

from pydantic import SecretStr

from console import output, session
from runtime.settings import PREFIX, SettingRow, Settings, settings_table

MEANINGS = {
    "data": "内置服务、日志和密钥的数据目录",
    "database_url": "PostgreSQL 地址；不设则用数据目录上运行的实例",
    "temporal_address": "Temporal 地址 主机：端口；不设则用数据目录上运行的实例",
    "temporal_namespace": "Temporal 命名空间",
    "temporal_tls": "与 temporal_address 之间使用 TLS",
    "temporal_tls_ca_file": "签发 Temporal 证书的机构证书；不设则用系统自带的",
    "temporal_tls_cert_file": "本进程向 Temporal 出示的证书（双向认证）",
    "temporal_tls_key_file": "该证书的私钥",
    "temporal_tls_name": "Temporal 证书上的名称，与地址不同时填写",
    "temporal_retention_days": "bihuan namespace 让 Temporal 把办结流程的历史保留多少天",
    "temporal_ui_origin": "流程引擎页面的来源（https://主机），只有它可向 /temporal/decode 取明文；不设则都不可",
    "task_queue": "流程及其活动的任务队列",
    "master_key_file": "保密库主密钥文件（32 字节）；默认 <数据目录>/master.key",
    "signing_key_file": "给检查点签名的密钥文件（32 字节）；默认 <数据目录>/signing.key",
    "anchor_file": "签名检查点写入的文件，最好放在另一块磁盘；默认 <数据目录>/anchors.jsonl",
    "checkpoints": "本办理进程是否做检查点并写入上述文件",
    "checkpoint_events": "最多多少条事件后做一次检查点",
    "checkpoint_every": "有变化时，距上次检查点多久做下一次",
    "checkpoint_webhook": "是否把每个检查点也发往 webhook_url，签名方式同通知",
    "payload_key_file": "部门对接程序用：只含任务数据密钥的文件，代替主密钥（bihuan key payload 生成）",
    "log_level": "最低日志级别",
    "log_format": "日志给人看（console）或给程序看（json）",
    "worker_metrics": "办理进程提供运行指标和健康检查的地址 主机:端口；不设则不提供",
    "console_metrics": "网页服务提供运行指标和健康检查的地址 主机:端口；不设则不提供",
    "connector_metrics": "部门对接程序提供运行指标和健康检查的地址 主机:端口；不设则不提供",
    "tracing_endpoint": "链路追踪收集器的地址（OTLP/HTTP）；需另装组件 tracing",
    "language": "提示语言：zh 或 en",
    "pollers": "轮询方式：fixed 固定数量，autoscaling 随任务多少增减",
    "workflow_pollers": "一个办理进程最多的流程轮询数",
    "nonsticky_ratio": "固定数量时，在公共队列上轮询的比例",
    "workflow_slots": "一个办理进程同时处理的流程任务数",
    "activity_pollers": "一个办理进程为等待账本的操作最多开几个轮询",
    "activity_slots": "一个办理进程同时处理几个等待账本的操作；默认同 pool_size",
    "local_activity_slots": "一个办理进程同时判定并记账几个操作；默认同 pool_size",
    "max_cached_workflows": "一个办理进程留在内存里的流程数；默认按可用内存计算",
    "opening_rate": "一个网页进程每秒替程序登记几件；窗口人员登记从不排队",
    "drain": "网页进程停止时，先报未就绪、继续应答的时间，好让反向代理改用其他网页进程",
    "sticky_timeout": "流程等待原办理进程多久",
    "graceful_shutdown": "停止时让进行中的活动再做多久",
    "pool_size": "一个进程的 PostgreSQL 连接数",
    "compress_payloads": "压缩办理进程存入 Temporal 的内容；与读不懂它的旧版本同时运行期间设为 false",
    "sandbox": "在沙箱里运行流程（较慢，开发用）",
    "console_host": "网页服务监听的地址",
    "console_port": "网页服务的端口；0 表示任取一个空闲端口",
    "public_url": "大家访问网页所用的地址（https://…），本机以外使用时必填",
    "insecure_http": "允许在内网以不加密的 http 访问：页面上有红色提示",
    "trusted_proxies": "可信的反向代理地址，逗号分隔",
    "body_limit": "一次提交的最大字节数",
    "api_rate": "每个令牌、会话或地址每分钟最多可调用接口的次数",
    "file_folder": "照片与文件的存放文件夹；默认 <data>/files",
    "file_bytes": "单张图片的最大字节数",
    "file_count": "一次操作最多附几张图片",
    "file_pixels": "单张图片的最多像素数",
    "file_side": "保存时图片最长边的像素数",
    "file_s3_bucket": "用 S3 兼容存储桶代替文件夹；需另装组件 s3",
    "file_s3_endpoint": "S3 兼容服务的地址（非 AWS 时填写）",
    "file_s3_region": "存储桶所在区域",
    "file_s3_prefix": "存储桶内文件名的前缀",
    "file_s3_key": "存储桶的访问密钥 ID",
    "file_s3_secret": "存储桶的访问密钥",
    "retention_days": "办结后个人资料和照片保存多少天，期满自动销毁",
    "password_profile": "密码要求：modern，或 dengbao（多类字符、90 天一换）",
    "password_shortest": "密码最少字符数",
    "session_idle": "会话不用多久就退出",
    "session_absolute": "会话最长多久",
    "oidc_issuer": "统一身份认证的地址；不设即不用",
    "oidc_client_id": "本系统在统一身份认证处的编号",
    "oidc_client_secret": "本系统在统一身份认证处的密钥",
    "oidc_person_claim": "统一身份认证中存放人员编码的字段",
    "oidc_name": "登录页上对统一身份认证的称呼",
    "courier": "本办理进程是否投递通知",
    "courier_poll": "多久主动查看一次待投递的通知",
    "smtp_url": "邮件服务器 smtp[s]://用户:密码@主机:端口；不设则不发邮件",
    "smtp_from": "邮件的发件人",
    "webhook_url": "每条通知都带签名发往这个地址",
    "webhook_secret": "回调签名的密钥，whsec_ 加 base64；更换期间可写两个",
    "sign_confirmation": "双签字时谁要再输一次密码：always 所有人，doors 网页和接口，never 不要求",
    "worker_deployment": "办理进程按版本区分时的部署名称；不设则不区分",
    "worker_build": "本版办理进程的版本名称；默认为程序版本",
    "worker_versioning": "未结诉求随切换转到新版（auto_upgrade），还是留在原版（pinned）",
    "wake_after": "时限已过而流程无动静时，多久后提醒它核对账本",
    "separation": "三员分立：账号和任职只归安全管理员",
    "security_log_days": "安全日志保留多少天，不能少于 200",
    "webhook_private": "允许回调内网和本机地址",
    "apprise_urls": "其他通知渠道（apprise）的地址，用逗号或空格分开",
}
"""What each setting means, in Chinese; the English is the setting's own."""


def command() -> None:
    """全部设置：环境变量、当前值、默认值和含义。

    Every setting: variable, value now, default and meaning.
    """
    now, rows = session.settings(), settings_table()
    value = [
        {
            "variable": row.variable,
            "value": _now(now, row),
            "default": row.default,
            "meaning": row.meaning,
            "meaning_zh": _zh(row),
        }
        for row in rows
    ]
    columns = [("变量", "variable"), ("当前", "now"), ("默认", "default"), ("含义", "meaning")]
    shown = [(row.variable, _now(now, row), row.default, output.say(_zh(row), row.meaning)) for row in rows]
    output.result({"settings": value}, lambda: output.table(columns, shown))


def _zh(row: SettingRow) -> str:
    return MEANINGS.get(row.variable.removeprefix(PREFIX).lower(), row.meaning)


def _now(now: Settings, row: SettingRow) -> str:
    value = getattr(now, row.variable.removeprefix(PREFIX).lower())
    match value:
        case None:
            return ""
        case SecretStr():
            return "******"
        case bool():
            return str(value).lower()
        case timedelta():
            return f"{value // timedelta(milliseconds=1) / 1000:g}s"
        case _:
            return str(value)
