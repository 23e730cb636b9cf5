"""Every refusal of the product: code, sentence and remedy in Chinese and English.

Owns the texts only. Codes are stable: tests, doors and other systems match on them. ``{names}`` are filled from
the parameters of the refusal; none of them may carry personal data.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """The texts of one refusal."""

    zh: str
    remedy_zh: str
    en: str
    remedy_en: str


CATALOGUE: dict[str, Entry] = {
    # --- values -----------------------------------------------------------------------------------------------
    "field.missing": Entry("缺少字段“{field}”。", "请补上后再提交。", "The field '{field}' is missing.", "Add it."),
    "field.unknown": Entry(
        "不认识字段“{field}”。", "请检查拼写或删除该字段。",
        "The field '{field}' is unknown.", "Check its spelling or leave it out.",
    ),
    "field.invalid": Entry(
        "字段“{field}”的值不符合要求（{reason}）。", "请按说明修改。",
        "The value of '{field}' is not valid ({reason}).", "Change it as described.",
    ),
    "json.malformed": Entry(
        "不是合法的 JSON（第 {line} 行第 {column} 列）。", "请检查引号、逗号和括号。",
        "This is not valid JSON (line {line}, column {column}).", "Check quotes, commas and brackets.",
    ),
    "json.too_deep": Entry(
        "JSON 嵌套超过 {limit} 层。", "请按接口说明的格式提交。",
        "The JSON is nested more than {limit} deep.", "Send what the description of the API asks for.",
    ),
    "command.unknown_kind": Entry(
        "没有名为“{kind}”的操作。", "可用的操作：{known}。",
        "There is no command '{kind}'.", "Known commands: {known}.",
    ),
    "command.reused": Entry(
        "该编号已用于内容不同的另一次操作。", "若是另一件事，请换一个新编号；若是重试，请原样重发。",
        "This number has been used for other content.", "Use a new one, or resend the first content unchanged.",
    ),
    "command.bad_id": Entry(
        "命令编号不是 UUID。", "请填写 UUID，或留空由系统生成。",
        "The command id is not a UUID.", "Give a UUID or leave it out.",
    ),
    "command.failed": Entry(
        "系统处理该操作时出错，未作任何记录（命令编号 {command_id}）。", "请联系管理员查看工作进程日志；修复后可重试。",
        "The system failed at this act; nothing was recorded (command id {command_id}).",
        "Ask the administrator to look at the worker's log; try again once it is mended.",
    ),
    "command.pending": Entry(
        "操作已送达，结果尚未返回（命令编号 {command_id}）。", "请稍后用同一命令编号再次提交，不会重复生效。",
        "The act has been sent, its answer is still to come (command id {command_id}).",
        "Submit it again later with the same id; it takes effect once.",
    ),
    "text.too_long": Entry(
        "字段“{field}”有 {length} 个字，超过上限 {limit} 个字。", "请缩短，其余内容可作为附件。",
        "'{field}' has {length} characters, more than {limit}.", "Shorten it and attach the rest.",
    ),
    "text.control_characters": Entry(
        "字段“{field}”含有控制字符。", "请删除不可见字符后重试。",
        "'{field}' contains control characters.", "Remove the invisible characters.",
    ),
    "text.blank": Entry("字段“{field}”是空白。", "请填写内容。", "'{field}' is blank.", "Fill it in."),
    "text.not_redacted": Entry(
        "字段“{field}”里有电话、证件号、车牌、门牌或姓名等个人信息。", "请先遮盖；原文只存放在保密库。",
        "'{field}' contains personal data such as a phone or an identity number.",
        "Mask it first; the original wording belongs to the vault.",
    ),
    "code.malformed": Entry(
        "字段“{field}”不是合法的编码。", "编码只能用字母、数字和 . _ - : / #。",
        "'{field}' is not a valid code.", "Codes use letters, digits and . _ - : / #.",
    ),
    "digest.malformed": Entry(
        "字段“{field}”不是 SHA-256 摘要。", "请填 64 位小写十六进制。",
        "'{field}' is not a SHA-256 digest.", "Give 64 lower-case hexadecimal letters.",
    ),
    "limit.unreadable": Entry(
        "看不懂时限“{value}”。", "请写成 30m、2h、7d、4wh、5wd 或 5wd/min。",
        "The limit '{value}' cannot be read.", "Write 30m, 2h, 7d, 4wh, 5wd or 5wd/min.",
    ),
    "limit.needs_calendar": Entry(
        "时限“{value}”按工作时间计算，需要工作日历。",
        "请先导入工作日历（calendar import），或改用自然时限（m、h、d）。",
        "The limit '{value}' is in working time and needs a calendar.",
        "Import a calendar first (calendar import), or use a natural limit (m, h, d).",
    ),
    # --- the work calendar ------------------------------------------------------------------------------------
    "limit.other_unit": Entry(
        "时限“{value}”与“{expected}”的单位不同，不能相加。", "请用与原时限相同的单位。",
        "The limits {value} and {expected} are in different units and cannot be added.", "Use the unit of the first.",
    ),
    "calendar.bad_segment": Entry(
        "工作时段“{value}”不能用。", "请写成 08:00-12:00；开始早于结束，同一天的时段按先后排列、互不重叠。",
        "The working hours '{value}' cannot be used.",
        "Write 08:00-12:00, the begin before the end, the hours of a day in order and apart.",
    ),
    "calendar.bad_week": Entry(
        "每周工作时段应有七天，现有 {days} 天。", "请从星期一到星期日逐日填写，休息日留空。",
        "The week has {days} days instead of seven.", "Give the hours of Monday to Sunday, none for a day off.",
    ),
    "calendar.day_twice": Entry(
        "{day} 在放假和调休上班名单里出现了两次。", "每一天只能写一次，请核对官方通知。",
        "{day} is named twice among the days off and the made-up days.", "Name it once; check the official list.",
    ),
    "calendar.bad_fixed_off": Entry(
        "法定假日“{value}”写得不对。", "请写成月-日，如 10-01，每日只写一次。",
        "The fixed day off '{value}' cannot be read.", "Write month and day such as 10-01, each once.",
    ),
    "calendar.bad_horizon": Entry(
        "日期范围 {begin} 至 {end} 不能用。", "起始日不得晚于终止日，且都应在 1900 年至 2200 年之间。",
        "The days {begin} to {end} cannot be used.",
        "The first must not be after the last; both lie between 1900 and 2200.",
    ),
    "calendar.unknown_zone": Entry(
        "没有名为“{value}”的时区。", "请填写 Asia/Shanghai 之类的时区名。",
        "There is no time zone '{value}'.", "Give a name such as Asia/Shanghai.",
    ),
    "calendar.no_working_time": Entry(
        "日历 {version} 里没有任何工作时间，无法计算时限“{value}”。", "请检查每周工作时段，或改用自然时限。",
        "The calendar {version} has no working time, so '{value}' cannot be counted.",
        "Check the hours of its week, or use a natural limit.",
    ),
    "calendar.too_far": Entry(
        "“{value}”要算到 {first} 至 {last} 以外，超出了可计算的范围。", "请核对起点和时限，或换用覆盖该时期的日历。",
        "Counting '{value}' leaves the days {first} to {last} that can be counted.",
        "Check the start and the limit, or use a calendar for that time.",
    ),
    # --- actors -----------------------------------------------------------------------------------------------
    "actor.wrong_role": Entry(
        "“{role}”不能做这件事。", "应由以下角色办理：{allowed}。",
        "A {role_en} may not do this.", "It is for: {allowed_en}.",
    ),
    "actor.wrong_organisation": Entry(
        "该操作属于单位 {expected}，您所在单位是 {organisation}。", "请由该单位人员办理。",
        "This is for {expected}; you act for {organisation}.", "Let that unit act.",
    ),
    "actor.wrong_grid": Entry(
        "该操作属于网格 {expected}，您负责的网格是 {grid}。", "请由该网格人员办理。",
        "This is for grid {expected}; yours is {grid}.", "Let that grid act.",
    ),
    "actor.role_not_held": Entry(
        "人员 {person} 目前不担任该角色（{role}）。", "请核对登记册中的任职与有效期。",
        "{person} does not hold the role {role} now.", "Check the registry and its dates.",
    ),
    "person.unknown": Entry(
        "登记册里没有人员 {person}。", "请先在登记册中登记。",
        "The registry has no person {person}.", "Enter the person first.",
    ),
    "person.several_roles": Entry(
        "人员 {person} 有多个身份：{roles}。", "请用 --role 指明以哪个身份办理。",
        "{person} holds several roles: {roles}.", "Say which with --role.",
    ),
    # --- registering ------------------------------------------------------------------------------------------
    "case.unknown": Entry(
        "没有这件诉求。", "请核对编号。", "There is no such case.", "Check the number.",
    ),
    "case.already_registered": Entry(
        "这件诉求已经登记过。", "请直接办理原件。", "This case is registered already.", "Work on the existing one.",
    ),
    "case.finished": Entry(
        "这件诉求已结束（{stage}），不能再办理。", "如有新情况，请另行登记。",
        "This case is over ({stage_en}).", "Register a new one.",
    ),
    "case.wrong_stage": Entry(
        "当前阶段是“{stage}”，不能做这一步。", "该操作适用于：{allowed}。",
        "The case is '{stage_en}'; this act does not fit.", "It fits: {allowed_en}.",
    ),
    "case.not_placed": Entry(
        "这件诉求还没有落到网格。", "请街道先用“更正”指定网格。",
        "The case has not been placed in a grid.", "Let the street correct its grid first.",
    ),
    "case.not_everyday": Entry(
        "事项类别 {category} 不在能办即办清单内。", "请由社区吹哨，走六步流程。",
        "Category {category} is not on the list of everyday matters.", "Let the community whistle.",
    ),
    "register.half_source": Entry(
        "来源与外部编号须同时填写。", "请补上另一个，或两个都不填。",
        "Source and external id go together.", "Give both or none.",
    ),
    "register.sent_before": Entry(
        "这张表刚才已经登记过，编号 {number}。", "要改内容请打开该诉求更正；若是另一件事，请再提交一次。",
        "This form has been registered already, number {number}.",
        "Correct that request instead; if this is another one, send it once more.",
    ),
    "register.found_later": Entry(
        "发现时间 {found_at} 晚于登记时间。", "请核对日期和时区。",
        "The time of discovery {found_at} lies in the future.", "Check date and time zone.",
    ),
    "grid.unknown": Entry(
        "登记册里没有网格 {grid}。", "请核对网格编码，或不填由街道落格。",
        "The registry has no grid {grid}.", "Check the code, or leave it to the street.",
    ),
    "grid.other_street": Entry(
        "网格 {grid} 不属于街道 {street}。", "请核对街道或网格编码。",
        "Grid {grid} is not in street {street}.", "Check both codes.",
    ),
    "category.unknown": Entry(
        "没有事项类别 {category}。", "请核对类别编码，或不填由街道归类。",
        "There is no category {category}.", "Check the code, or leave it to the street.",
    ),
    "organisation.unknown": Entry(
        "登记册里没有单位 {organisation}。", "请核对单位编码。",
        "The registry has no organisation {organisation}.", "Check the code.",
    ),
    "department.unknown": Entry(
        "登记册里没有部门 {department}。", "请核对部门编码。",
        "The registry has no department {department}.", "Check the code.",
    ),
    "department.twice": Entry(
        "同一个部门写了两次。", "请只保留一次。", "A department is named twice.", "Name it once.",
    ),
    "correct.nothing": Entry(
        "没有要更正的内容。", "请至少给出网格、类别、紧急程度之一。",
        "There is nothing to correct.", "Give a grid, a category or an urgency.",
    ),
    "withdraw.not_reporter": Entry(
        "只有诉求人（或代其登记的人）可以撤回。", "请由诉求人提出。",
        "Only the reporter, or who registered on their behalf, may withdraw.", "Let the reporter ask.",
    ),
    # --- whistle, dispatch, handling --------------------------------------------------------------------------
    "whistle.no_department": Entry(
        "吹哨没有写明需要哪些部门。", "请至少写一个部门。",
        "The whistle names no department.", "Name at least one.",
    ),
    "whistle.own_approver": Entry(
        "吹哨人不能自己批准自己的哨。", "请由另一人批准。",
        "The one who whistles cannot approve it.", "Let somebody else approve.",
    ),
    "task.not_yours": Entry(
        "单位 {organisation} 没有承办这件诉求。", "请核对派单；如需协办请街道增派。",
        "{organisation} has no part in this case.", "Check the dispatch.",
    ),
    "task.done": Entry(
        "部门 {department} 的任务已完成。", "无需重复办理。",
        "The task of {department} is done.", "Nothing more to do.",
    ),
    "task.not_accepted": Entry(
        "部门 {department} 还没有签收。", "请先签收。", "{department} has not accepted yet.", "Accept first.",
    ),
    "task.already_accepted": Entry(
        "部门 {department} 已经签收。", "无需重复签收。", "{department} has accepted already.", "Go on handling.",
    ),
    "strike_off.helpers_open": Entry(
        "协办部门尚未完成：{departments}。", "请等协办部门销账后再由主办部门办结。",
        "Helpers are not done: {departments}.", "The lead concludes after them.",
    ),
    "evidence.missing": Entry(
        "缺少{what}的证据材料。", "请附上照片或文件（引用和摘要）。",
        "Evidence of {what_en} is missing.", "Add a photo or document by reference and digest.",
    ),
    # --- checking, signing, telling ---------------------------------------------------------------------------
    "verify.own_work": Entry(
        "处置过这件诉求的人不能自己核查。", "请由另一名网格员核查。",
        "Who handled the case cannot verify it.", "Let another grid worker check.",
    ),
    "sign.unconfirmed": Entry(
        "签字前没有确认密码。", "请在签字表单中再输入一次登录密码；接口用 Bihuan-Confirmation 请求头。",
        "The signature was not confirmed.", "Give your password again; programs send Bihuan-Confirmation.",
    ),
    "sign.wrong_password": Entry(
        "密码不正确，没有签字。", "请重新输入您的登录密码。",
        "The password is wrong; nothing was signed.", "Give your own password again.",
    ),
    "sign.no_password": Entry(
        "您的账号没有本系统密码，不能确认签字。", "请管理员为您重置一个密码（bihuan user reset），改好后再签。",
        "Your account has no password here to confirm with.", "Have the administrator reset it, then sign.",
    ),
    "sign.slow_down": Entry(
        "密码错误次数太多。", "请等 {seconds} 秒再签。", "Too many wrong passwords.", "Wait {seconds} s, then sign.",
    ),
    "sign.handler": Entry(
        "处置过这件诉求的人不能签字。", "请由未参与处置的先锋队长、网格长签字。",
        "Who handled the case cannot sign.", "Let somebody else sign.",
    ),
    "sign.verifier": Entry(
        "核查人不能再签字。", "请由另一人签字。", "Who verified cannot sign.", "Let somebody else sign.",
    ),
    "sign.same_person": Entry(
        "同一人不能签两次。", "双签字须由两个人完成。",
        "The same person cannot sign twice.", "Two persons sign.",
    ),
    "sign.same_role": Entry(
        "“{role}”已经签过字。", "第二个签字须由另一角色完成。",
        "This role has signed already.", "The second signature needs the other role.",
    ),
    "sign.other_result": Entry(
        "签字对应的不是当前核查结果。", "请重新查看结果，用最新摘要签字。",
        "The signature is for another result.", "Look at the result again and sign its digest.",
    ),
    "feed_back.already": Entry(
        "已经向{to}反馈过。", "请反馈另一方。", "This side has been told.", "Tell the other side.",
    ),
    "visit.verdict": Entry(
        "回访记录不完整：有答复须同时写明满意度和是否解决，未答复则都不写。", "请补全或改为未联系上。",
        "An answered visit needs both a grade and whether it is solved; an unanswered one neither.", "Complete it.",
    ),
    "visit.too_soon": Entry(
        "两次未接通的回访须间隔 {gap}。", "请在 {again} 之后再试。",
        "Unanswered attempts must be apart.", "Try again after {again}.",
    ),
    "appraise.not_involved": Entry(
        "部门 {department} 没有承办这件诉求。", "请核对部门编码。",
        "{department} had no part in this case.", "Check the code.",
    ),
    "appraise.already": Entry(
        "部门 {department} 已经考评过。", "每个部门只考评一次。",
        "{department} has been appraised.", "Each department is scored once.",
    ),
    "reopen.not_allowed": Entry(
        "只有诉求人或回访人可以重开。", "请由他们提出。",
        "Only the resident or the visitor may reopen.", "Let them ask.",
    ),
    "reopen.too_late": Entry(
        "已过重开期限（{until}）。", "如有新情况，请另行登记。",
        "The window for reopening ended at {until}.", "Register a new case.",
    ),
    # --- wishes -----------------------------------------------------------------------------------------------
    "wish.unknown": Entry("没有这个微心愿。", "请核对编号。", "There is no such wish.", "Check the number."),
    "wish.already_published": Entry(
        "这个微心愿已发布。", "请直接认领。", "This wish is published already.", "Claim it.",
    ),
    "wish.finished": Entry(
        "这个微心愿已结束（{stage}）。", "如有新的心愿，请另行发布。",
        "This wish is over ({stage_en}).", "Publish a new one.",
    ),
    "wish.wrong_stage": Entry(
        "微心愿当前是“{stage}”，不能做这一步。", "该操作适用于：{allowed}。",
        "The wish is '{stage_en}'.", "This act fits: {allowed_en}.",
    ),
    "wish.own": Entry(
        "不能认领自己的心愿。", "请由他人认领。", "One's own wish cannot be claimed.", "Let somebody else claim it.",
    ),
    "wish.not_claimer": Entry(
        "只有认领人可以登记实现。", "请由认领人办理。", "Only the claimer may fulfil it.", "Let the claimer act.",
    ),
    "wish.not_wisher": Entry(
        "只有心愿人可以致谢。", "请由心愿人办理。", "Only the wisher may say thanks.", "Let the wisher act.",
    ),
    # --- rules and registry -----------------------------------------------------------------------------------
    "rules.none": Entry(
        "还没有规则版本。", "请先执行 bihuan migrate 或载入规则。",
        "There is no rule book yet.", "Run bihuan migrate or load one.",
    ),
    "rules.row_missing": Entry(
        "规则缺少紧急程度“{urgency}”的一行。", "请补上。",
        "The rule book has no row for '{urgency}'.", "Add it.",
    ),
    "rules.row_twice": Entry(
        "规则中“{row}”出现了两行。", "请只保留一行。",
        "The rule book has two rows for '{row}'.", "Keep one.",
    ),
    "rules.version_exists": Entry(
        "规则版本 {version} 已存在且内容不同。", "请使用新的版本号。",
        "Rule book {version} exists with other content.", "Use a new version.",
    ),
    "registry.unsound": Entry(
        "登记册有 {count} 处问题，未载入。第一处：{where} {first}。", "请逐条修改后重新载入。",
        "The registry has {count} problems and was not loaded. First: {where} {first}.", "Mend them and load again.",
    ),
    # --- rule books from files --------------------------------------------------------------------------------
    "rules.unsound": Entry(
        "规则有 {count} 处问题，未采用。第一处：{where} {first}。", "请逐条修改后再试。",
        "The rule book has {count} problems and was not taken. First: {where} {first}.", "Mend them and try again.",
    ),
    "rules.unknown_format": Entry(
        "不能从 {suffix} 文件读取规则。", "请使用 .yaml、.xlsx、.xls、.ods 或 .csv。",
        "Rule books cannot be read from {suffix} files.", "Use .yaml, .xlsx, .xls, .ods or .csv.",
    ),
    "rules.not_written": Entry(
        "不能写入 {path}：{reason}。", "请换一个不存在的文件名，或检查目录权限。",
        "{path} cannot be written: {reason}.", "Name a file that does not exist, or check the folder's permissions.",
    ),
    # --- ledger -----------------------------------------------------------------------------------------------
    "ledger.forked": Entry(
        "流水 {stream} 与账本分叉（流程在第 {expected} 条，账本有 {actual} 条）。", "请勿重置流程；联系管理员检查。",
        "Stream {stream} has forked from the ledger (workflow at {expected}, ledger at {actual}).",
        "Do not reset workflows; ask the administrator.",
    ),
    "ledger.gap": Entry(
        "账本落后于流程（流水 {stream}：流程在第 {expected} 条，账本只有 {actual} 条）。",
        "账本可能是旧备份；联系管理员。",
        "The ledger is behind (stream {stream}: workflow at {expected}, ledger at {actual}).",
        "It may be an old backup; ask the administrator.",
    ),
    "ledger.migration_changed": Entry(
        "数据库迁移 {name} 的内容与已执行的不一致。", "请恢复原文件；改动须写成新的迁移。",
        "Migration {name} differs from the one applied.", "Restore it; write changes as a new one.",
    ),
    "ledger.schema_newer": Entry(
        "数据库结构已到第 {database} 版，本程序只认识到第 {program} 版，不能启动。", "请改用新版程序，数据没有改动。",
        "The database is at schema {database}; this release knows {program} and does not start.",
        "Start the newer release; nothing has been changed.",
    ),
    "upgrade.say_what": Entry(
        "没有说明要做什么。", "检查请用 --check，切换请用 --switch，一次一个。",
        "It was not said what to do.", "Use --check or --switch, one at a time.",
    ),
    "upgrade.not_versioned": Entry(
        "本系统没有区分办理进程的版本。", "请先设置 BIHUAN_WORKER_DEPLOYMENT（见 docs/upgrades.md）。",
        "This office does not tell releases of the worker apart.", "Set BIHUAN_WORKER_DEPLOYMENT (docs/upgrades.md).",
    ),
    "upgrade.unknown_deployment": Entry(
        "Temporal 还不知道部署 {name}。", "请先启动带此设置的办理进程。",
        "Temporal does not know the deployment {name} yet.", "Start a worker with this setting first.",
    ),
    "upgrade.no_worker": Entry(
        "部署 {name} 没有版本为 {build} 的办理进程在等待。", "请先启动新版办理进程，再切换。",
        "No worker of build {build} waits in deployment {name}.", "Start the new worker, then switch.",
    ),
    "ledger.migration_gap": Entry(
        "缺少第 {number} 号数据库迁移。", "请补全迁移文件。",
        "Migration {number} is missing.", "Complete the files.",
    ),
    "ledger.schema_older": Entry(
        "数据库还有 {count} 个迁移没有执行。", "请执行 bihuan migrate。",
        "{count} migrations have not been applied.", "Run bihuan migrate.",
    ),
    "ledger.disk_full": Entry(
        "数据库所在的磁盘已满，未作任何记录。", "请联系管理员清理磁盘，然后重试。",
        "The disk of the database is full; nothing was recorded.",
        "Tell the administrator; try again once there is room.",
    ),
    "feed.bad_cursor": Entry(
        "续读位置无效。", "请使用上一页返回的位置。", "The cursor is not valid.", "Use the one of the last page.",
    ),
    "feed.other_line": Entry(
        "这个续读位置不属于本数据库：账本从备份恢复过，或位置来自别的服务器。",
        "请从头读取；每条流水的编号不变，可据此去重。",
        "This place does not belong to this database: the ledger was restored from a backup, or the place is another "
        "server's.",
        "Read from the beginning; events keep their ids, by which repeated ones are told.",
    ),
    "vault.content_differs": Entry(
        "同一编号的原始内容与已保存的不同。", "若是另一件诉求，请换外部编号；更正请用“更正”操作。",
        "Other content is already kept under this number.", "Use another external id for another request.",
    ),
    "vault.wrong_key": Entry(
        "主密钥打不开保密库。", "请检查主密钥文件。", "The master key does not open the vault.", "Check the key file.",
    ),
    "vault.key_missing": Entry(
        "找不到主密钥文件 {path}。", "请检查设置 BIHUAN_MASTER_KEY_FILE。",
        "There is no master key at {path}.", "Check BIHUAN_MASTER_KEY_FILE.",
    ),
    "key_file.open": Entry(
        "密钥文件 {path} 的权限是 {mode}，别人也能读。", "请执行 chmod 600 {path}，只留本用户可读写。",
        "The key file {path} has mode {mode}: others can read it.", "Run chmod 600 {path}.",
    ),
    "payload.wrong_key": Entry(
        "没有流程数据所用的密钥（{key}）。", "请让各进程使用同一个主密钥文件，再重新启动。",
        "The key {key} of the workflow data is not here.", "Give all processes the same master key file; restart them.",
    ),
    "payload.unknown_compression": Entry(
        "流程数据的压缩方式（{how}）属于更新的版本。", "请让所有进程使用同一版本；数据没有改动。",
        "The workflow data are compressed in a way ({how}) of a newer release.", "Let all processes run one release.",
    ),
    # --- evidence ---------------------------------------------------------------------------------------------
    "audit.key_missing": Entry(
        "找不到签名密钥文件 {path}。", "请检查设置 BIHUAN_SIGNING_KEY_FILE；首次启动（bihuan up）时会自动生成。",
        "There is no signing key at {path}.", "Check BIHUAN_SIGNING_KEY_FILE; the first bihuan up makes one.",
    ),
    "audit.bad_key": Entry(
        "“{key}”不是公钥。", "请填 bihuan audit key 显示的 64 位十六进制公钥。",
        "'{key}' is not a public key.", "Give the 64 hexadecimal letters that bihuan audit key shows.",
    ),
    "audit.anchors_missing": Entry(
        "找不到检查点文件 {path}。", "请检查路径；不写 --anchor 则使用设置 BIHUAN_ANCHOR_FILE 的文件。",
        "There is no file of checkpoints at {path}.", "Check the path; without --anchor BIHUAN_ANCHOR_FILE is used.",
    ),
    "audit.anchors_broken": Entry(
        "检查点文件 {path} 的最后一行不是检查点。", "文件可能被改动：请保留原件并移到别处，系统会写一份新的。",
        "The last line of {path} is not a checkpoint.",
        "It may have been changed: keep it, move it away, and a new one is written.",
    ),
    "audit.anchors_ahead": Entry(
        "检查点文件 {path} 已到第 {number} 号，数据库里没有。",
        "数据库可能是旧备份：请保留该文件并移到别处，再用 bihuan audit verify --anchor 核对丢了什么。",
        "{path} goes up to checkpoint {number}, which the database does not have.",
        "It may be an old backup: keep the file, move it away, and see by bihuan audit verify --anchor what is lost.",
    ),
    "audit.anchors_differ": Entry(
        "检查点文件 {path} 与数据库在第 {number} 号不一致。",
        "其中之一被改动或来自别处：请停用并保留现场，执行 bihuan audit verify。",
        "{path} and the database differ at checkpoint {number}.",
        "One of them was changed or belongs elsewhere: stop, keep both, run bihuan audit verify.",
    ),
    "audit.checkpoint_broken": Entry(
        "数据库里的第 {number} 号检查点被改动过。", "请停用并保留现场，执行 bihuan audit verify。",
        "Checkpoint {number} in the database has been changed.", "Stop, keep it as it is, run bihuan audit verify.",
    ),
    "dossier.not_over": Entry(
        "这件诉求还没有办结，不能出具卷宗。", "请在归档、不予受理或撤回之后再出具。",
        "The case is not over, there is no dossier yet.", "Make it once the case is archived, declined or withdrawn.",
    ),
    "dossier.log_changed": Entry(
        "账本中 {stream} 第 {seq} 条与写入时不符，不能出具卷宗。", "请停用并保留现场，执行 bihuan audit verify。",
        "Event {seq} of {stream} is not what was written; no dossier is made of it.",
        "Stop, keep it as it is, run bihuan audit verify.",
    ),
    "dossier.too_large": Entry(
        "卷宗太大，放不进一个文件。", "请加 --without-temporal 再试。",
        "The dossier is too large for one file.", "Try again with --without-temporal.",
    ),
    "dossier.unreadable": Entry(
        "这不是完整的卷宗：文件被改动、截断或另存过。", "请向出具单位索取原件。",
        "This is not a whole dossier: it was changed, cut off or packed anew.", "Ask the office for the original.",
    ),
    "dossier.changed": Entry(
        "卷宗被改动：{part} 与签名时不同。", "请向出具单位索取原件，不要采信这一份。",
        "The dossier has been changed: {part} is not what was signed.",
        "Ask for the original; do not rely on this one.",
    ),
    "dossier.other_key": Entry(
        "卷宗由另一个公钥签名（{found}），不是 {wanted}。", "请核对公钥是否抄错；没有抄错就不要采信。",
        "The dossier was signed with another key ({found}, not {wanted}).",
        "Check that the key was copied right; if it was, do not rely on the dossier.",
    ),
    "file.exists": Entry(
        "文件 {path} 已存在。", "请换一个文件名，或先移走原文件。",
        "{path} exists already.", "Choose another name or move it away.",
    ),
    "file.unwritable": Entry(
        "写不了文件 {path}（{reason}）。", "请检查路径、权限和磁盘空间。",
        "Cannot write {path}: {reason}.", "Check path, rights and room on the disk.",
    ),
    "reason.words_missing": Entry(
        "请写明这个理由的具体情况。", "写一句话，不写姓名、电话。",
        "This reason needs a few words beside it.", "Say it in a sentence, without names and numbers.",
    ),
    "reason.words_too_long": Entry(
        "说明最多 {limit} 字。", "请写短一些。", "The words may have {limit} letters.", "Make them shorter.",
    ),
    "erase.not_finished": Entry(
        "这件还没有办结，不能销毁反映人资料。", "请先办结、撤回或并案，再销毁。",
        "This is not finished, so what was kept cannot be destroyed.", "Finish or withdraw it first.",
    ),
    "erase.not_confirmed": Entry(
        "没有确认，什么也没有销毁。", "请加 --confirm {stream} 再执行；销毁后无法恢复。",
        "Not confirmed; nothing was destroyed.", "Add --confirm {stream}; there is no way back.",
    ),
    "subject.unknown": Entry(
        "没有保存与这个号码有关的资料。", "请核对号码；旧数据可先执行 bihuan key check 建立索引。",
        "Nothing is kept about this number.", "Check it; bihuan key check makes older requests findable.",
    ),
    "backup.exists": Entry(
        "{path} 已存在，不会覆盖。", "请换一个文件名。", "{path} exists and is not overwritten.", "Give another name.",
    ),
    "backup.no_space": Entry(
        "空间不足，写不下：{path}；没有留下半个文件。", "请清理磁盘或换一个位置后重试。",
        "No space left for {path}; nothing half-written was left.", "Make room or choose another place, try again.",
    ),
    "backup.not_written": Entry(
        "写不了 {path}（{reason}）。", "请检查目录是否存在、是否有写入权限。",
        "{path} cannot be written ({reason}).", "Check that the folder exists and may be written.",
    ),
    "backup.torn": Entry(
        "{path} 不是备份，或不完整。", "请换一份备份；制作中断的备份不能使用。",
        "{path} is no backup, or not all of one.", "Take another one; a backup that was cut short cannot be used.",
    ),
    "backup.damaged": Entry(
        "备份的“{part}”与制作时不同，已停止。", "请换一份备份，并检查存放它的磁盘。",
        "The part '{part}' of the backup is not what was written.", "Take another one, and check the disk it lay on.",
    ),
    "backup.newer": Entry(
        "{path} 由更新的版本制作。", "请用制作它的版本或更新的版本。",
        "{path} was made by a later release.", "Use the release that made it, or a later one.",
    ),
    "backup.wrong_key": Entry(
        "这把密钥（{given}）打不开该备份，需要密钥 {wanted}。", "请用 --keys 指定制作备份时的密钥文件。",
        "This key ({given}) does not open the backup, it needs key {wanted}.", "Give the keys of its day by --keys.",
    ),
    "backup.not_empty": Entry(
        "{path} 里已有内容，不会覆盖。", "请用 --into 指定一个新目录，或准备一个空数据库。",
        "{path} is not empty and is not overwritten.", "Give a new folder by --into, or an empty database.",
    ),
    # --- rebuilding -------------------------------------------------------------------------------------------
    "rebuild.one_or_anew": Entry(
        "--anew 是把全部查询表清空重写，不能只用于一件。", "请去掉 --stream，或去掉 --anew。",
        "--anew empties all read models; it cannot be done for one process.", "Leave out --stream or --anew.",
    ),
    # --- an invented city -------------------------------------------------------------------------------------
    "seed.not_empty": Entry(
        "这个账本里已有诉求、登记册或资料，虚构城市不会写进去。", "请用 --data 指定一个新目录，或准备一个空数据库。",
        "This ledger has requests, a registry or files already; no invented city is written into it.",
        "Give a new folder by --data, or an empty database.",
    ),
    "seed.no_calendar": Entry(
        "账本里还没有工作日历。", "请先运行 bihuan migrate 或 bihuan up，新库会自动放入工作日历。",
        "The ledger has no calendar yet.", "Run bihuan migrate or bihuan up first: a new ledger is given one.",
    ),
    # --- running ----------------------------------------------------------------------------------------------
    "instance.folder_in_use": Entry(
        "数据目录 {folder} 正被另一个实例使用（进程 {pid}）。", "请先停掉它，或用 --data 指定另一个目录。",
        "The data folder {folder} is held by another instance (process {pid}).", "Stop it or use another --data.",
    ),
    "instance.folder_not_ours": Entry(
        "目录 {folder} 不能使用。", "请选择一个空目录，或检查权限。",
        "The folder {folder} cannot be used.", "Choose an empty folder or check its permissions.",
    ),
    "instance.not_running": Entry(
        "数据目录 {folder} 没有正在运行的实例。", "请先执行 bihuan up，或用 --data 指明目录。",
        "No instance is running on {folder}.", "Run bihuan up, or name the folder with --data.",
    ),
    "instance.child_failed": Entry(
        "组件 {name} 启动失败（退出码 {exit}）。", "详情见日志 {log}。",
        "{name} failed to start (exit code {exit}).", "See {log}.",
    ),
    "instance.no_server_user": Entry(
        "以 root 运行时需要系统用户 {user} 来启动 PostgreSQL，但无法创建。", "请用普通用户运行，或手工创建该用户。",
        "As root, PostgreSQL needs the system user {user}, which could not be created.", "Run as an ordinary user.",
    ),
    "instance.program_missing": Entry(
        "找不到程序 {name}。", "请重新执行 make setup。", "The program {name} is missing.", "Run make setup again.",
    ),
    "settings.invalid": Entry(
        "设置 {name} 不正确：{reason}。", "请修改环境变量。", "The setting {name} is wrong: {reason}.", "Change it.",
    ),
    "settings.unreadable": Entry(
        "读不了文件 {path}（{reason}）。", "请检查路径和权限。",
        "Cannot read {path}: {reason}.", "Check path and rights.",
    ),
    "namespace.other_type": Entry(
        "命名空间里已有检索字段 {name}，但类型不是 {type}。",
        "类型不能更改，请换一个命名空间（BIHUAN_TEMPORAL_NAMESPACE）。",
        "The namespace has a search attribute {name} of another type than {type}.",
        "Choose another namespace (BIHUAN_TEMPORAL_NAMESPACE): types cannot be changed.",
    ),
    "namespace.not_ready": Entry(
        "命名空间 {name} 已提交，但流程引擎的各部分尚未都知道。", "请稍后再执行 bihuan namespace。",
        "The namespace {name} was sent, but not every part of Temporal knows it yet.",
        "Run bihuan namespace again later.",
    ),
    "temporal.unreachable": Entry(
        "连不上 Temporal（{address}）。", "请检查服务是否在运行。",
        "Temporal at {address} cannot be reached.", "Check that it runs.",
    ),
    "temporal.refused": Entry(
        "Temporal 拒绝了请求（{reason}）。", "请检查命名空间和权限设置，再重试。",
        "Temporal refused the request ({reason}).", "Check namespace and permissions, then try again.",
    ),
    "doctor.deep_only": Entry(
        "选项 {field} 只能与 --deep 一起用。", "请写 bihuan doctor --deep {field}。",
        "{field} goes with --deep only.", "Write bihuan doctor --deep {field}.",
    ),
    "rehydrate.name_one": Entry(
        "替换流程须指明一件。", "请写明编号：bihuan rehydrate 编号 --replace。",
        "Name the one process to replace.", "Give its id: bihuan rehydrate ID --replace.",
    ),
    "postgres.unreachable": Entry(
        "连不上 PostgreSQL。", "请检查服务是否在运行。", "PostgreSQL cannot be reached.", "Check that it runs.",
    ),
    # --- command line -----------------------------------------------------------------------------------------
    "cli.unknown_option": Entry(
        "没有选项 {name}。", "请用 --help 查看可用的选项。", "There is no option {name}.", "See --help.",
    ),
    "cli.missing_value": Entry(
        "缺少 {name}。", "请用 --help 查看用法。", "{name} is missing.", "See --help.",
    ),
    "cli.bad_value": Entry(
        "{name} 的值不对（{reason}）。", "请用 --help 查看用法。",
        "The value of {name} is wrong ({reason}).", "See --help.",
    ),
    "cli.wrong_use": Entry(
        "用法不对（{reason}）。", "请用 --help 查看用法。", "Wrong use ({reason}).", "See --help.",
    ),
    "cli.too_many_values": Entry(
        "多写了“{values}”。", "请删去，或用 --help 查看用法。",
        "'{values}' is too much.", "Leave it out, or see --help.",
    ),
    "cli.unknown_command": Entry(
        "没有命令 {name}。", "可用的命令：{known}。", "There is no command {name}.", "Known commands: {known}.",
    ),
    "cli.not_available": Entry(
        "本次安装没有 {name} 命令。", "请升级或重新安装。",
        "This installation has no command {name}.", "Install it again.",
    ),
    "cli.whose_tasks": Entry(
        "要看谁的待办？", "请给出 --organisation、--person 或 --grid。",
        "Whose tasks?", "Give --organisation, --person or --grid.",
    ),
    "cli.mistake": Entry(
        "程序内部出错（编号 {number}）。", "请把编号告诉管理员；详情见 {log}。",
        "The program made a mistake (number {number}).", "Tell the administrator; see {log}.",
    ),
    "cli.ambiguous": Entry(
        "编号前几位 {prefix} 对应多件。", "请多写几位。",
        "The beginning {prefix} fits several.", "Write more of the id.",
    ),
    "cli.time_unreadable": Entry(
        "看不懂时间“{value}”。", "请写成 2026-11-23、2026-11-23T12:00 或带时区的 ISO 8601；不写时区即北京时间。",
        "The time '{value}' cannot be read.", "Write 2026-11-23 or 2026-11-23T12:00 (Beijing time) or ISO 8601.",
    ),
    # --- calendars in the ledger and in files -----------------------------------------------------------------
    "calendar.none": Entry(
        "还没有工作日历。", "请执行 bihuan calendar import。", "There is no work calendar yet.",
        "Run bihuan calendar import.",
    ),
    "calendar.unknown": Entry(
        "没有版本为 {version} 的工作日历。", "用 bihuan calendar list 查看全部版本。",
        "There is no calendar {version}.", "See bihuan calendar list.",
    ),
    "calendar.version_exists": Entry(
        "日历版本 {version} 已存在且内容不同。", "请使用新的版本号，或不写版本号由系统生成。",
        "Calendar {version} exists with other content.", "Use a new version, or leave it out.",
    ),
    "calendar.moved_on": Entry(
        "日历在此期间已换成 {current}，没有改动。", "请重新执行，查看差异后再确认。",
        "The calendar has meanwhile become {current}; nothing was changed.",
        "Run it again and look at the differences.",
    ),
    "calendar.unreadable": Entry(
        "文件有 {count} 处问题，没有导入。第一处：{where}，{first}。", "请逐条修改后重新导入；全部问题见 --json。",
        "The file has {count} problems and was not taken. First: {where}, {first_en}.",
        "Mend them and try again; --json lists them all.",
    ),
    "calendar.unknown_format": Entry(
        "不支持的日历文件格式 {suffix}。", "请使用 .json、.yaml、.csv 或 .ics。",
        "The format {suffix} is not supported.", "Use .json, .yaml, .csv or .ics.",
    ),
    "cli.bad_moment": Entry(
        "选项 {field} 里的时间“{value}”看不懂。", "请写成 2025-09-30T17:00；不写时区即日历所在时区。",
        "The time '{value}' in {field} cannot be read.",
        "Write 2025-09-30T17:00; without an offset it is in the calendar's time zone.",
    ),
    "cli.bad_pause": Entry(
        "选项 {field} 的值“{value}”不是一段停表时间。",
        "请写成 起..止，如 2025-03-03T11:00..2025-03-05T15:00，止不早于起。",
        "The value '{value}' of {field} is no span of time.",
        "Write FROM..TO, for instance 2025-03-03T11:00..2025-03-05T15:00, TO not before FROM.",
    ),
    # --- notices ----------------------------------------------------------------------------------------------
    "notice.unknown": Entry(
        "没有这条通知。", "请核对编号，可用 bihuan notice list 查看。",
        "There is no such notice.", "Check the number; bihuan notice list shows them.",
    ),
    "notice.not_theirs": Entry(
        "{person} 的收件箱里没有这条通知。", "请核对编号和人员编号。",
        "This notice is not in the inbox of {person}.", "Check the number and the person.",
    ),
    "notice.nothing_failed": Entry(
        "这条通知没有投递失败的记录。", "投递失败的通知可用 bihuan notice list --failed 查看。",
        "No delivery of this notice has failed.", "bihuan notice list --failed shows those that have.",
    ),
    "notice.apprise_missing": Entry(
        "设置了 {field}，但没有安装 apprise。", "请安装附加组件：pip install 'bihuan[notify]'。",
        "{field} is set and apprise is not installed.", "Install the extra: pip install 'bihuan[notify]'.",
    ),
    # --- files ------------------------------------------------------------------------------------------------
    "file.unreadable": Entry(
        "读不了文件 {path}（{reason}）。", "请检查路径、权限和格式。",
        "Cannot read {path}: {reason}.", "Check path, rights and format.",
    ),
    "import.unknown_format": Entry(
        "不支持的文件格式 {suffix}。", "请使用 .jsonl、.csv 或 .xlsx。",
        "The format {suffix} is not supported.", "Use .jsonl, .csv or .xlsx.",
    ),
    "import.no_text_column": Entry(
        "文件里没有标题或正文列。", "表头应含“标题/title”或“内容/detail”。",
        "The file has neither a title nor a text column.", "Name a column title or detail.",
    ),
    "import.time_unreadable": Entry(
        "看不懂时间“{value}”。", "请写成 2025-09-30 17:00 或 ISO 8601。",
        "The time '{value}' cannot be read.", "Write 2025-09-30 17:00 or ISO 8601.",
    ),
    "import.file_too_large": Entry(
        "文件 {path} 太大（{size}），上限为 {limit}。", "请拆成几个文件后分别导入。",
        "{path} is too large ({size}); the limit is {limit}.", "Split it and import the parts.",
    ),
    "import.too_many_columns": Entry(
        "有 {columns} 列，超过上限 {limit} 列。", "请删除不需要的列。",
        "There are {columns} columns, more than {limit}.", "Leave out columns that are not needed.",
    ),
    "import.cell_too_long": Entry(
        "有单元格超过 {limit} 个字（或缺少结束引号）。", "请检查这一行的引号和内容长度。",
        "A cell has more than {limit} characters (or its closing quote is missing).", "Check quotes and length.",
    ),
    "import.too_many_cells": Entry(
        "这一行有 {cells} 格，表头只有 {columns} 列。", "含分隔符的内容请加引号。",
        "This row has {cells} cells, the header {columns}.", "Quote cells that contain the separator.",
    ),
    "import.csv_malformed": Entry(
        "这一行的引号不配对。", "请检查引号；内容里的引号要写两遍。",
        "The quotes of this row do not match.", "Check them; a quote within a cell is written twice.",
    ),
    "import.encoding": Entry(
        "这一行含有无法识别的字节。", "请把文件另存为 UTF-8 编码。",
        "This row has bytes that cannot be read.", "Save the file as UTF-8.",
    ),
    "import.not_an_object": Entry(
        "这一行不是 JSON 对象。", "每行应是一个形如 {{\"标题\": \"…\"}} 的对象。",
        "This line is not a JSON object.", "Each line is one object.",
    ),
    "import.no_sheet": Entry(
        "工作簿 {path} 里没有可读的工作表。", "请把数据放在第一个工作表。",
        "The workbook {path} has no sheet that can be read.", "Put the rows on the first sheet.",
    ),
    "import.which_person": Entry(
        "登记册里有几位热线人员：{people}。", "请用 --as 指明以谁的身份导入。",
        "The registry has several hotline persons: {people}.", "Say who imports with --as.",
    ),
    "import.report_unwritable": Entry(
        "不能在 {path} 写报告：{reason}。", "请用 --report 指定别的位置。",
        "The report cannot be written to {path}: {reason}.", "Choose another place with --report.",
    ),
    # --- time and disputes (case) ---------------------------------------------------------------------------------
    "dispatch.needs_arbitration": Entry(
        "本案已退单 {returns} 次，或已有部门首接，不能再直接改派。", "请用“仲裁”决定由谁牵头。",
        "The case was returned {returns} time(s) or has a first acceptor; a plain dispatch no longer does.",
        "Arbitrate and decide who leads.",
    ),
    "step.unknown": Entry(
        "本案没有名为“{step}”的分步。", "可填写：{known}。", "The case has no step '{step}'.", "Known steps: {known}.",
    ),
    "step.not_lead": Entry(
        "{department} 不是牵头部门，不能报分步完成。", "请由牵头部门填报。",
        "{department} is not the lead and cannot report a step.", "Let the lead report it.",
    ),
    "step.done": Entry(
        "分步“{step}”已经完成。", "无需重复填报。", "The step '{step}' is done already.", "Nothing needs to be done.",
    ),
    "hand_over.to_self": Entry(
        "任务已在此人手中。", "请选择另一位同事。", "The task is with this person already.",
        "Choose another colleague.",
    ),
    "hand_over.not_colleague": Entry(
        "{person} 当日不是 {department} 的经办人或负责人。", "请选择本部门在岗人员。",
        "{person} holds no role in {department} on this day.", "Choose somebody of the department.",
    ),
    "helper.not_lead": Entry(
        "{department} 不是牵头部门，不能邀请协办。", "请由牵头部门提出。",
        "{department} is not the lead and cannot ask for helpers.", "Let the lead ask.",
    ),
    "helper.already": Entry(
        "{department} 已在本案中。", "请选择其他部门。", "{department} takes part already.",
        "Choose another department.",
    ),
    "strike_off.steps_open": Entry(
        "还有分步未完成：{steps}。", "请先用“报进展”逐步填报。",
        "Steps are still owed: {steps}.", "Report each of them first.",
    ),
    "case.suspended": Entry(
        "案件已停表，至 {until}。", "请先恢复计时，或等到期自动恢复。",
        "The case is suspended until {until}.", "Resume it first, or wait.",
    ),
    "case.shelved": Entry(
        "案件正在挂账。", "请先销挂。", "The case is on the shelf.", "Take it off the shelf first.",
    ),
    "return.final": Entry(
        "本单已经仲裁，{department} 不能再退。", "请办理；确有困难可申请延期或协办。",
        "This has been arbitrated; {department} cannot return it.", "Handle it; ask for time or help where needed.",
    ),
    "return.too_late": Entry(
        "退单期限已过（{until}）。", "请办理；确有困难可申请延期或协办。",
        "The window for returning is over ({until}).", "Handle it; ask for time or help where needed.",
    ),
    "return.unit_limit": Entry(
        "{department} 对本案的退单次数已达上限（{most} 次）。", "请办理，或请街道仲裁。",
        "{department} has returned this case as often as it may ({most}).", "Handle it or ask the street.",
    ),
    "return.case_limit": Entry(
        "本案的退单次数已达上限（{most} 次）。", "请办理，或请街道仲裁。",
        "This case has been returned as often as it may be ({most}).", "Handle it or ask the street.",
    ),
    "return.no_proposal": Entry(
        "退单没有写明应由哪个单位办理。", "请填写建议单位“proposed”。",
        "The return does not say whose it is.", "Name the unit in 'proposed'.",
    ),
    "return.own_proposal": Entry(
        "建议单位就是 {department} 自己。", "请填写另一个单位。",
        "The proposed unit is {department} itself.", "Name another unit.",
    ),
    "arbitrate.force_elsewhere": Entry(
        "直派是把案件退回 {department} 办理，不能另选单位或协办。", "改由他人办理请选“改派”或“指定牵头”。",
        "Forcing sends the case back to {department} and names nobody else.",
        "Choose 'redispatch' or 'name_lead' for another unit.",
    ),
    "arbitrate.take_over_elsewhere": Entry(
        "兜底只能由本案所属街道（{street}）承担。", "请留空牵头单位，或先登记所属街道。",
        "Only the street of the case ({street}) takes it over.", "Leave the lead out, or place the case first.",
    ),
    "arbitrate.no_lead": Entry(
        "没有指定牵头单位。", "请填写“lead”。", "No lead is named.", "Name one in 'lead'.",
    ),
    "arbitrate.redispatch_same": Entry(
        "改派不能派回退单的 {department}。", "要求其办理请选“直派”。",
        "A new dispatch cannot go back to {department}.", "Choose 'force' to send it back.",
    ),
    "extension.not_lead": Entry(
        "{department} 不是牵头部门，不能申请延期。", "请由牵头部门申请。",
        "{department} is not the lead and cannot ask for more time.", "Let the lead ask.",
    ),
    "extension.pending": Entry(
        "已有一份延期申请待批。", "请等待审批。", "An extension is waiting for its decision.", "Wait for the decision.",
    ),
    "extension.none": Entry(
        "该类事项的规则不允许延期。", "请按期办理，或由街道停表、挂账。",
        "The rules allow no extension here.", "Keep the limit, or let the street suspend or shelve the case.",
    ),
    "extension.too_late": Entry(
        "时限已过（{due}），不能再延期。", "请尽快办结并说明原因。",
        "The limit has run out ({due}); it cannot be extended.", "Finish the work and say why it is late.",
    ),
    "extension.other_unit": Entry(
        "延期 {value} 与本案时限的计时单位不同。", "请用同一单位，最长 {longest}。",
        "{value} is not counted in the unit of this case.", "Use that unit, at most {longest}.",
    ),
    "extension.too_long": Entry(
        "延期 {value} 超过上限 {longest}。", "请缩短。", "{value} is longer than {longest}.", "Ask for less.",
    ),
    "extension.used_up": Entry(
        "本案的延期次数已用完（{most} 次）。", "请按期办理。",
        "The case has been extended as often as it may be ({most}).", "Keep the limit.",
    ),
    "extension.not_requested": Entry(
        "没有待批的延期申请。", "请先由牵头部门申请。", "No extension is waiting for a decision.",
        "The lead asks first.",
    ),
    "extension.more_than_asked": Entry(
        "批准的 {value} 多于申请的 {asked}。", "请不超过申请的时长。",
        "{value} is more than the {asked} asked for.", "Grant at most what was asked for.",
    ),
    "suspend.not_involved": Entry(
        "{department} 不在本案中。", "请填写提出申请的承办部门，或留空。",
        "{department} takes no part in the case.", "Name a department of the case or leave it out.",
    ),
    "suspend.over_already": Entry(
        "停表截止时间 {until} 已过。", "请填写将来的时间，或留空取最长期限。",
        "{until} is over already.", "Give a time to come, or leave it out for the longest.",
    ),
    "suspend.reason_not_allowed": Entry(
        "规则不允许以“{reason}”停表。", "请选择规则列明的事由。",
        "The rules do not allow suspending for: {reason_en}.", "Choose a reason of the rule book.",
    ),
    "suspend.used_up": Entry(
        "以“{reason}”停表的时长已用完（最长 {longest}）。", "请继续办理，或转挂账。",
        "The time for suspending ({reason_en}) is used up, at most {longest}.", "Go on, or shelve the case.",
    ),
    "suspend.too_long": Entry(
        "以“{reason}”停表最长 {longest}，最迟到 {latest}。", "请提前截止时间，或留空。",
        "Suspending ({reason_en}) takes at most {longest}, until {latest}.", "Choose an earlier end or leave it out.",
    ),
    "resume.not_suspended": Entry(
        "案件没有停表。", "无需恢复。", "The case is not suspended.", "Nothing needs to be done.",
    ),
    "shelve.own_approver": Entry(
        "挂账不能由自己批准。", "请填写督办员的编号。",
        "Nobody approves his own shelving.", "Name a supervisor.",
    ),
    "shelve.not_supervisor": Entry(
        "{person} 当日不是督办员。", "请填写在岗督办员的编号。",
        "{person} is no supervisor on this day.", "Name a supervisor.",
    ),
    "shelve.review_past": Entry(
        "复核时间 {review} 已过。", "请填写将来的时间。", "The review date {review} is past.", "Give a time to come.",
    ),
    "shelve.review_late": Entry(
        "到 {review} 才复核，间隔超过 {longest}。", "请安排更早的复核时间。",
        "The review {review} comes later than {longest} after the one before.", "Plan an earlier review.",
    ),
    "unshelve.not_shelved": Entry(
        "案件没有挂账。", "无需销挂。", "The case is not on the shelf.", "Nothing needs to be done.",
    ),
    "question.open": Entry(
        "上一个问题还在等居民回复，至 {until}。", "请等待回复或到期。",
        "The resident has until {until} to answer the last question.", "Wait for the answer or its end.",
    ),
    "question.none": Entry(
        "没有等待居民回复的问题。", "请先用“询问居民”提问，或用“备注”记录。",
        "No question waits for the resident's answer.", "Ask first, or record a comment.",
    ),
    "urge.nobody": Entry(
        "本案现在没有正在计时的环节。", "请写明催办单位“to”。", "No clock runs on this case now.",
        "Name the unit in 'to'.",
    ),
    "supervise.not_involved": Entry(
        "{organisation} 不是本案的承办单位。", "可选：{known}。", "{organisation} takes no part in the case.",
        "Choose of: {known}.",
    ),
    "supervise.no_limit": Entry(
        "规则没有规定督办回复时限。", "请填写“reply_within”。",
        "The rules give no limit for a reply.", "Give one in 'reply_within'.",
    ),
    "supervision.unknown_order": Entry(
        "本案没有第 {order} 号督办。", "请查看案件中的督办编号。",
        "The case has no order {order}.", "Look up the number in the case.",
    ),
    "supervision.replied": Entry(
        "第 {order} 号督办已经回复。", "补充情况请用“备注”。",
        "Order {order} has been answered.", "Add a comment for anything further.",
    ),
    "rules.unknown": Entry(
        "没有版本为“{version}”的规则。", "请先导入，或用 bihuan rules list 查看。",
        "There is no rule book '{version}'.", "Import it, or look at bihuan rules list.",
    ),
    "adopt.nothing_new": Entry(
        "本案已按规则 {version}、日历 {calendar} 计时。", "无需再次采用。",
        "The case lives by rules {version} and calendar {calendar} already.", "Nothing needs to be done.",
    ),
    "rules.condition_alone": Entry(
        "条件“{condition}”没有写明所属类别。", "请填写类别。",
        "The condition '{condition}' has no category.", "Name the category.",
    ),
    "rules.step_column": Entry(
        "分步时限不能写成一栏“{field}”。", "请写在分步清单中，每步一个名称和时限。",
        "Steps are no column '{field}'.", "List each step with its name and limit.",
    ),
    "rules.step_twice": Entry(
        "分步“{step}”出现了两次。", "请只保留一个。", "The step '{step}' stands there twice.", "Keep one.",
    ),
    "rules.natural_only": Entry(
        "“{value}”必须按自然时计。", "请写成小时或天，例如 30d。",
        "'{value}' must be natural time.", "Write hours or days, for instance 30d.",
    ),
    "rules.twice": Entry(
        "{what}“{name}”出现了两次。", "请只保留一个。", "{what} '{name}' stands there twice.", "Keep one.",
    ),
    "ladder.unreadable": Entry(
        "督办阶梯的位置“{value}”无法识别。", "可写 50%、due 或 due+5wd。",
        "The place '{value}' of a rung cannot be read.", "Write 50%, due or due+5wd.",
    ),
    "ladder.misplaced": Entry(
        "灯“{name}”的位置不对。", "黄灯写百分比，红灯写 due。",
        "The light '{name}' stands at the wrong place.", "Yellow takes a percentage, red takes due.",
    ),
    # --- rehearsing -------------------------------------------------------------------------------------------
    "rehearse.unreadable": Entry(
        "诉求 {stream} 的计时记录无法读取。", "请用 bihuan rebuild --stream {stream} 重建后再试。",
        "The clocks of {stream} cannot be read.", "Run bihuan rebuild --stream {stream} and try again.",
    ),
    "rehearse.no_columns": Entry(
        "表格里没有“{missing}”这一栏。", "表头须有受理时间和办结时间，可用的写法：{known}。",
        "The table has no column for: {missing}.", "Name a column when it was opened and one when closed: {known}.",
    ),
    "rehearse.unknown_urgency": Entry(
        "没有紧急程度“{value}”。", "可用的紧急程度：{known}；空白按一般办理。",
        "There is no urgency '{value}'.", "Use one of: {known}; blank means general.",
    ),
    "rehearse.unknown_category": Entry(
        "没有类别“{value}”。", "请改正编码、先登记该类别，或留空按紧急程度计时。",
        "There is no category '{value}'.", "Correct the code, register the category, or leave it blank.",
    ),
    "rehearse.unknown_mark": Entry(
        "看不懂是否超期的标记。", "请写：{known}。",
        "The mark whether it was late cannot be read.", "Write one of: {known}.",
    ),
    "rehearse.out_of_order": Entry(
        "“{field}”早于“{earlier}”。", "请核对这两个时间。", "'{field}' lies before '{earlier}'.", "Check both times.",
    ),
    # --- the deadline sheet -----------------------------------------------------------------------------------
    "clock.unknown": Entry(
        "这件诉求没有名为“{clock}”的时限。", "可选的有：{known}。",
        "The case has no clock '{clock}'.", "It has: {known}.",
    ),
    # --- rights and signing in --------------------------------------------------------------------------------
    "access.signed_out": Entry(
        "尚未登录，或登录已过期。", "请重新登录；已填写的内容会保留在本机。",
        "You are not signed in, or your session has ended.", "Sign in again; what you wrote stays on this device.",
    ),
    "access.denied": Entry(
        "您的角色没有这项权限（{permission}）。", "如确需办理，请联系管理员调整角色。",
        "None of your roles has this right ({permission}).", "Ask the administrator if you need it.",
    ),
    "access.out_of_reach": Entry(
        "该事项不在您的辖区或承办范围内。", "请转给负责该处的人员。",
        "This lies outside the area you answer for.", "Hand it to whoever answers for that place.",
    ),
    "access.wrong_credentials": Entry(
        "登录名或密码不对。", "请核对后重试；忘记密码请找管理员重置。",
        "Login name or password is wrong.", "Check both; the administrator can reset a forgotten password.",
    ),
    "access.wrong_old_password": Entry(
        "原密码不对。", "请核对后重试；忘记密码请找管理员重置。",
        "The present password is wrong.", "Check it; the administrator can reset a forgotten password.",
    ),
    "access.slow_down": Entry(
        "试错次数较多，请稍候。", "请在 {seconds} 秒后再试；账号没有被锁定。",
        "Too many wrong attempts.", "Try again in {seconds} seconds; the account is not locked.",
    ),
    "access.disabled": Entry(
        "该账号已停用。", "如需恢复，请联系管理员。",
        "This account is disabled.", "Ask the administrator to enable it.",
    ),
    "access.must_change_password": Entry(
        "须先修改密码，才能办理业务。", "请到“修改密码”页设置新密码。",
        "The password must be changed first.", "Set a new one on the page for that.",
    ),
    "access.weak_password": Entry(
        "新密码不能用：{reason}。", "请换一个；几个不相干的词连在一起，好记又难猜。",
        "The new password will not do: {reason}.", "Choose another; a few unrelated words are easy to keep in mind.",
    ),
    "access.passwords_differ": Entry(
        "两次输入的新密码不一致。", "请重新输入。", "The two new passwords differ.", "Type them again.",
    ),
    "access.token_invalid": Entry(
        "访问令牌无效、已过期或已撤销。", "请在“我的账号”页重新申请令牌。",
        "The token is not valid, has ended or was revoked.", "Make a new one on the page of your account.",
    ),
    "access.no_such_token": Entry(
        "没有这个有效的令牌。", "请刷新列表；它可能已被撤销。",
        "There is no such token in force.", "Reload the list; it may have been revoked.",
    ),
    "access.too_many_tokens": Entry(
        "有效令牌已有 {limit} 个，不能再增加。", "请先撤销不用的令牌。",
        "There are {limit} tokens in force already.", "Revoke one first.",
    ),
    "access.no_such_session": Entry(
        "没有这个登录会话。", "请刷新列表；它可能已经退出。",
        "There is no such session.", "Reload the list; it may have ended.",
    ),
    "access.no_account": Entry(
        "身份认证已通过，但本系统没有您的账号。", "请联系管理员开通。",
        "You were recognised, but you have no account here.", "Ask the administrator for one.",
    ),
    "access.unknown_account": Entry(
        "没有登录名为“{login}”的账号。", "请用 user list 查看全部账号。",
        "There is no account '{login}'.", "See all accounts: user list.",
    ),
    "access.bad_login": Entry(
        "登录名不能用。", "请用小写字母、数字和 . _ -，以字母或数字开头，最多 64 个字符。",
        "The login name will not do.", "Use small letters, digits and . _ -, at most 64, a letter or digit first.",
    ),
    "access.login_taken": Entry(
        "登录名“{login}”已被使用。", "请换一个登录名。", "The login name '{login}' is taken.", "Choose another.",
    ),
    "access.person_has_account": Entry(
        "人员 {person} 已有账号。", "一人一个账号；可重置其密码。",
        "{person} has an account already.", "One account each; its password can be reset.",
    ),
    "access.last_administrator": Entry(
        "这是最后一个管理员账号，不能停用。", "请先添加另一位管理员。",
        "This is the last administrator's account.", "Add another administrator first.",
    ),
    "access.provider_missing": Entry(
        "没有启用统一身份认证。", "请管理员设置 BIHUAN_OIDC_ISSUER 等，并安装附加组件 oidc。",
        "Signing in by an identity provider is not set up.", "Set BIHUAN_OIDC_ISSUER and install the extra oidc.",
    ),
    "access.roles_apart": Entry(
        "{person} 在登记册中是{role}，不能同时是管理员。", "请由另一个人担任管理员，或先在登记册中结束该任职。",
        "{person} is {role_en} in the registry and cannot be an administrator at the same time.",
        "Choose somebody else, or end that assignment in the registry first.",
    ),
    "registry.administrator_apart": Entry(
        "{person} 的账号是管理员，不能在登记册中同时担任{role}。", "请把该任职交给别人，或先停用这个管理员账号。",
        "The account of {person} is an administrator's; they cannot be {role_en} in the registry.",
        "Give that role to somebody else, or disable the account first.",
    ),
    "security.kept_longer": Entry(
        "安全日志至少保留 {days} 天。", "请把保留期改为不少于 {days} 天。",
        "The security log is kept for {days} days at least.", "Choose a period that is not shorter.",
    ),
    "access.provider_failed": Entry(
        "统一身份认证没有成功（{reason}）。", "请重试，或改用密码登录；持续出现请联系管理员。",
        "The identity provider did not confirm you ({reason}).", "Try again or use your password.",
    ),
    # --- the doors: requests and pages ------------------------------------------------------------------------
    "request.forged": Entry(
        "请求不是从本系统页面发出的，已拒绝。", "请刷新页面后重试。",
        "The request did not come from a page of this system.", "Reload the page and try again.",
    ),
    "request.too_large": Entry(
        "提交的内容超过 {limit}。", "请减少内容或分次提交。",
        "What was sent is larger than {limit}.", "Send less, or in several parts.",
    ),
    "request.not_found": Entry(
        "没有这个页面或接口。", "请从首页进入。", "There is no such page.", "Start from the first page.",
    ),
    "request.method": Entry(
        "这个地址不接受这种请求方式。", "请按接口说明改用其他方式。",
        "This address does not take this kind of request.", "See the description of the API.",
    ),
    "request.not_json": Entry(
        "请求正文须为 JSON。", "请以 Content-Type: application/json 发送。",
        "The body must be JSON.", "Send it with Content-Type: application/json.",
    ),
    "command.unknown": Entry(
        "账本里没有这个编号的操作。", "它可能还在途中、已被拒绝或从未送达；用同一编号原样重发即可，不会重复生效。",
        "The ledger knows no act of this id.",
        "It may be on its way, was refused or never came; sending it again with the same id is always safe.",
    ),
    "case.not_yet": Entry(
        "{at} 时还没有这件诉求。", "请换一个较晚的时间。",
        "There was no such case at {at}.", "Ask for a later instant.",
    ),
    "task.unknown": Entry(
        "这项待办已不在列表中。", "可能已有人办理；请刷新待办列表。",
        "This task lies open no longer.", "Somebody may have done it; reload the list.",
    ),
    "task.not_claimable": Entry(
        "这项待办不能认领。", "请直接办理；只有部门的处置任务可以认领。",
        "This task cannot be taken by name.", "Just do it; only the work of a department is taken by name.",
    ),
    "task.yours_already": Entry(
        "这项待办已在您名下。", "请直接办理。", "This task is yours already.", "Go on and do it.",
    ),
    "request.repeated": Entry(
        "参数“{field}”只能写一次。", "请只保留一个。",
        "The parameter '{field}' may stand once only.", "Keep one of them.",
    ),
    "request.unreadable": Entry(
        "请求无法读取。", "请检查格式后重试。", "The request cannot be read.", "Check its form and try again.",
    ),
    "worker.stopping": Entry(
        "该办理进程正在停止。", "请等待其他办理进程接手，或重新启动它。",
        "This worker is stopping.", "Others take over; start it again if it is needed.",
    ),
    "console.stopping": Entry(
        "该网页进程正在停止。", "请等待其他网页进程接手，或重新启动它。",
        "This console is stopping.", "Others take over; start it again if it is needed.",
    ),
    "worker.not_polling": Entry(
        "该办理进程没有在领取任务。", "请查看其日志和 Temporal 的连接；必要时重新启动。",
        "This worker does not ask for work.", "Look at its log and the connection to Temporal; restart it if need be.",
    ),
    "tracing.extra_missing": Entry(
        "链路追踪需要另装组件。", "请执行 pip install 'bihuan[tracing]'，或取消 BIHUAN_TRACING_ENDPOINT。",
        "Tracing needs an extra.", "Run pip install 'bihuan[tracing]', or unset BIHUAN_TRACING_ENDPOINT.",
    ),
    "metrics.address_taken": Entry(
        "无法在 {address} 上提供运行指标（{reason}）。",
        "请用 BIHUAN_WORKER_METRICS 或 BIHUAN_CONSOLE_METRICS 换一个地址，或停止占用它的程序。",
        "The metrics cannot be offered on {address} ({reason}).",
        "Choose another BIHUAN_WORKER_METRICS or BIHUAN_CONSOLE_METRICS, or free this one.",
    ),
    "console.address_taken": Entry(
        "无法在 {address} 上开放网页（{reason}）。", "请用 BIHUAN_CONSOLE_PORT 换一个端口，或停止占用它的程序。",
        "The console cannot listen on {address} ({reason}).", "Choose another BIHUAN_CONSOLE_PORT or free this one.",
    ),
    "request.too_many": Entry(
        "请求过于频繁。", "请在 {seconds} 秒后重试。", "Too many requests.", "Try again in {seconds} seconds.",
    ),
    "request.mistake": Entry(
        "系统出错了（编号 {number}），没有记录任何内容。", "请稍后重试；若再次出现，请把编号告诉管理员。",
        "Something went wrong on our side (number {number}); nothing was recorded.",
        "Try again later; if it happens again, tell the administrator the number.",
    ),
    # --- files ------------------------------------------------------------------------------------------------
    "file.unknown": Entry(
        "没有这个文件，或您无权查看。", "请从诉求页面打开附件。",
        "There is no such file, or you may not see it.", "Open it from the page of the case.",
    ),
    "file.wrong_type": Entry(
        "第 {place} 个文件不是 JPEG、PNG 或 WebP 图片。", "请改用手机拍照或截图；文档请拍成照片上传。",
        "File {place} is not a JPEG, PNG or WebP picture.", "Take a photograph or a screenshot of it.",
    ),
    "file.damaged": Entry(
        "第 {place} 张图片已损坏，无法打开。", "请重新拍摄或重新选择后再上传。",
        "Picture {place} is damaged and cannot be opened.", "Take it again or choose another one.",
    ),
    "file.empty": Entry(
        "第 {place} 个文件是空的。", "请重新选择后再上传。", "File {place} is empty.", "Choose it again.",
    ),
    "file.too_large": Entry(
        "第 {place} 张图片超过 {limit} MB。", "请用手机的普通画质拍摄，或压缩后再上传。",
        "Picture {place} is larger than {limit} MB.", "Take it at normal quality, or make it smaller.",
    ),
    "file.too_many": Entry(
        "一次最多上传 {limit} 张图片。", "请减少张数，其余的可在诉求页面补充附件。",
        "At most {limit} pictures can be sent at once.", "Send fewer; attach the rest to the case afterwards.",
    ),
    "file.too_many_pixels": Entry(
        "第 {place} 张图片超过 {limit} 百万像素。", "请调低相机像素，或截图后再上传。",
        "Picture {place} has more than {limit} million pixels.", "Take it with fewer, or send a screenshot of it.",
    ),
    "file.not_yours": Entry(
        "所附文件不是您上传的，也不属于本诉求。", "请重新上传后再提交。",
        "An attached file was neither uploaded by you nor does it belong to this case.", "Upload it, then try again.",
    ),
    "file.missing": Entry(
        "文件内容不在存储中（{digest}）。", "请联系管理员检查文件存储。",
        "The content of the file is not in the store ({digest}).", "Ask the administrator to look at the file store.",
    ),
    "file.spoilt": Entry(
        "存储中的文件与登记的摘要不符，已停止提供（{digest}）。", "请联系管理员从备份恢复。",
        "The stored file is not what was recorded and is not shown ({digest}).",
        "Ask the administrator to restore it from the backup.",
    ),
    "file.store_away": Entry(
        "文件存储暂不可用（{reason}），没有保存任何文件。", "请稍后重试；持续出现请联系管理员。",
        "The file store cannot be used ({reason}); nothing was kept.", "Try again later, or tell the administrator.",
    ),
    "file.extra_missing": Entry(
        "使用 S3 存储需要另装组件。", "请执行 pip install 'bihuan[s3]' 后重启。",
        "Storing files in S3 needs an extra.", "Run pip install 'bihuan[s3]' and start again.",
    ),
    # --- search and duplicates --------------------------------------------------------------------------------
    "search.too_long": Entry(
        "搜索内容超过 {limit} 个字。", "请只写关键词。",
        "The search is longer than {limit} characters.", "Use a few words.",
    ),
    "supervise.none_chosen": Entry(
        "没有勾选诉求。", "请在清单中勾选要催办或督办的诉求。",
        "No request is ticked.", "Tick those to be urged or supervised in the list.",
    ),
    # --- figures and the board --------------------------------------------------------------------------------
    "stats.unknown_measure": Entry(
        "没有这个统计指标。", "请从统计页面选择指标。",
        "There is no such figure.", "Choose one on the page of statistics.",
    ),
    "period.invalid": Entry(
        "统计时段不正确：结束日期不能早于开始日期，最长 {years} 年。", "请调整起止日期。",
        "The period will not do: it must not end before it begins, and last {years} years at most.",
        "Change the two dates.",
    ),
    "board.too_many": Entry(
        "同时打开的看板太多。", "请关闭不用的看板，{seconds} 秒后会自动重试。",
        "Too many boards are open.", "Close those nobody looks at; this one tries again in {seconds} seconds.",
    ),
    "board.link_invalid": Entry(
        "看板地址无效或已过期。", "请向督办员索取新的地址。",
        "The address of the board is not valid or has expired.", "Ask the supervisor for a new one.",
    ),
    # --- administration ---------------------------------------------------------------------------------------
    "draft.unknown": Entry(
        "没有这份待确认的文件，可能已确认、已放弃或超过一天。", "请重新上传。",
        "There is no such file to confirm; it was confirmed, thrown away or waited for more than a day.",
        "Upload it again.",
    ),
    "draft.no_file": Entry(
        "没有选择文件。", "请选择要上传的文件。",
        "No file was chosen.", "Choose the file to upload.",
    ),
    "adoption.unknown": Entry(
        "没有这次推行记录。", "请从列表进入。",
        "There is no such run.", "Start from the list.",
    ),
    # --- residents' own page ----------------------------------------------------------------------------------
    "tracking.no_match": Entry(
        "查询码与手机号后四位不符。", "请核对后重试，或致电社区。",
        "The code and the last four digits do not belong together.", "Check both, or call the community.",
    ),
    "tracking.mistyped": Entry(
        "查询码有误，可能输错了一位。", "请对照单据重新输入 12 位查询码。",
        "This is no tracking code; a sign may be wrong.", "Type the 12 signs again as they stand on the slip.",
    ),
    "tracking.slow_down": Entry(
        "查询次数过多。", "请 {seconds} 秒后再试。",
        "There were too many attempts.", "Try again in {seconds} seconds.",
    ),
    "tracking.ended": Entry(
        "查询已超时或已退出。", "请重新输入查询码。",
        "The page was left or has timed out.", "Enter the code again.",
    ),
    "tracking.none": Entry(
        "这件诉求没有查询码。", "请由登记人或社区补发。",
        "This request has no tracking code.", "Have the community hand one out.",
    ),
    "tracking.erased": Entry(
        "居民信息已按规定清除，不能再发查询码。", "如需查询，请致电社区。",
        "What was kept of the resident has been erased; no code can be handed out.", "Call the community.",
    ),
}  # fmt: skip
