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
    "task_queue": "流程及其活动的任务队列",
    "master_key_file": "保密库主密钥文件（32 字节）；默认 <数据目录>/master.key",
    "log_level": "最低日志级别",
    "log_format": "日志给人看（console）或给程序看（json）",
    "language": "提示语言：zh 或 en",
    "workflow_pollers": "一个办理进程的流程轮询数",
    "nonsticky_ratio": "其中在公共队列上的比例",
    "max_cached_workflows": "一个办理进程留在内存里的流程数",
    "sticky_timeout": "流程等待原办理进程多久",
    "graceful_shutdown": "停止时让进行中的活动再做多久",
    "pool_size": "一个进程的 PostgreSQL 连接数",
    "sandbox": "在沙箱里运行流程（较慢，开发用）",
    "courier": "本办理进程是否投递通知",
    "courier_poll": "多久主动查看一次待投递的通知",
    "smtp_url": "邮件服务器 smtp[s]://用户:密码@主机:端口；不设则不发邮件",
    "smtp_from": "邮件的发件人",
    "webhook_url": "每条通知都带签名发往这个地址",
    "webhook_secret": "回调签名的密钥，whsec_ 加 base64；更换期间可写两个",
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
