"""What of a case may hang on a wall for everybody: never a person, a number or a door (PIPL art. 25).

Owns the last look at a title before it is published. Titles are redacted already when they enter the ledger; here the
bar is higher, for nobody who passes by has any business with where exactly somebody lives.
"""

import re

from domain.text import FAMILY_NAMES, normalise, redact

_MASK = "〔略〕"
_NUMERAL = "0-9０-９一二三四五六七八九十百两零〇"
_DOOR = re.compile(
    rf"(?:第\s?)?(?:[A-Za-z]?[{_NUMERAL}]+(?:\s?[-－—#]\s?[{_NUMERAL}]+)*|[A-Za-z甲乙丙丁东西南北]|[{_NUMERAL}]+[A-Za-z])"
    r"\s?(?:号楼|号院|号|栋|幢|座|单元|门洞|层|楼|室|户|房|弄|#)"
)
_NUMBER = re.compile(r"[0-9０-９][0-9０-９ \-－—]*[0-9０-９](?![0-9０-９]|小时|点|分钟|天|日|月|年|米|公里|元|伏)")
_ADDRESSED = "先生|女士|小姐|太太|师傅|大爷|大妈|大叔|大娘|阿姨|奶奶|爷爷|老师|医生|某某?|同志|老人家"
_SAYS = "反映|反应|投诉|举报|报修|来电|来访|诉称|称|说|要求|请求|申请|求助|家中|家里|家|住"
_PERSON = re.compile(
    rf"(?:老|小)?(?:{FAMILY_NAMES})[\u4e00-\u9fff]{{0,2}}(?:{_ADDRESSED})"
    rf"|(?:{FAMILY_NAMES})[\u4e00-\u9fff]{{1,2}}(?:{_SAYS})"
    rf"|(?:老|小|阿)(?:{FAMILY_NAMES})(?:[的某]|{_SAYS}|$)"
    r"|[\u4e00-\u9fff]{1,8}·[\u4e00-\u9fff]{1,8}"
    r"|姓名|身份证|手机|电话|微信|QQ|病历|残疾证|户主|当事人|联系人|〔姓名〕"
)


def public_title(title: str | None) -> str | None:
    """The title as it may be shown to everybody, doors and numbers masked; None when it may speak of a person.

    Whoever shows it then names the category instead. A pattern can never know every name, so it rather says None once
    too often.
    """
    if title is None:
        return None
    text = redact(normalise(title))
    if _PERSON.search(text):
        return None
    text = _NUMBER.sub(_MASK, _DOOR.sub(_MASK, text))
    text = re.sub(rf"(?:{_MASK}|〔门牌〕)+", _MASK, text).strip()
    return text if re.search(r"[\u4e00-\u9fffA-Za-z]", text.replace(_MASK, "")) else None
