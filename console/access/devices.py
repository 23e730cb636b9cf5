"""What a person recognises a device by: browser and system, nothing finer.

Owns the few names. What a browser says about itself is not kept.
"""

_BROWSERS = (
    ("micromessenger", "微信"),
    ("wxwork", "企业微信"),
    ("dingtalk", "钉钉"),
    ("edg/", "Edge"),
    ("qqbrowser", "QQ 浏览器"),
    ("360se", "360 浏览器"),
    ("qihu", "360 浏览器"),
    ("firefox/", "Firefox"),
    ("chrome/", "Chrome"),
    ("safari/", "Safari"),
)
_SYSTEMS = (
    ("openharmony", "HarmonyOS"),
    ("harmonyos", "HarmonyOS"),
    ("android", "Android"),
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("windows", "Windows"),
    ("mac os", "macOS"),
    ("uos", "UOS"),
    ("linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """The device in two words, as far as its browser tells; empty when it tells nothing known."""
    told = user_agent[:1000].lower()
    found = (next((name for sign, name in known if sign in told), "") for known in (_BROWSERS, _SYSTEMS))
    return " · ".join(filter(None, found))
