"""Payloads are made small before they are encrypted.

Owns the form of a compressed payload and the dictionaries it was compressed with. What an act leaves in Temporal's
history is for the most part the same names of fields again and again; a dictionary that knows them halves it once
more. A dictionary that has been used is never changed: histories live for years. A new one gets a new name.
"""

import zlib

from domain.errors import Refused

WORTH = 512
"""Bytes from which on a payload is compressed. Envelopes and answers are smaller, so that doors need not decompress."""

# What stands last is found first, and cheapest: the facts and clocks of an outcome, then its plan and its answer.
_FIRST = (
    '"kind":"resident_asked","kind":"progress_reported","kind":"extension_requested","length":"1wd","reason":"","kind":'
    '"task_returned","legal_basis":"","proposed":"","kind":"rework_ordered","kind":"supervision_ordered","kind":"clock_warned"'
    ',"clock_id":"handle","kind":"clock_expired","clock_id":"handle","kind":"rung_reached","clock_id":"handle","code":"urge"'
    '"kind":"appraised","department":"D0","scores":{"speed":90,"quality":90,"attitude":95}},"kind":"settled","reached":true,'
    '"reopen_until":"2026-"kind":"visited","answered":true,"satisfaction":"satisfied","solved":true},"kind":"fed_back","to":'
    '"resident","text":"验收通过"},"to":"department","kind":"signed","digest":"","kind":"verified","passed":true,"note":"现场'
    '查看","kind":"struck_off","department":"D0","concluding":true,"measures":"","workload":{"people":2,"minutes":45,'
    '"vehicles":1,"cost_fen":0},"evidence":[{"kind":"after","ref":"photo-000","digest":"","kind":"accepted","department":"D0'
    '","lead":true,"deemed":false},"kind":"dispatched","lead":"D0","helpers":[],"mode":"within_limit","instruction":"",'
    '"return_until":"2026-"kind":"whistled","reason":"reflected","departments":["D0"],"approver":""},"kind":"registered",'
    '"title":"","text":"","channel":"grid","found_at":"2026-"place":{"street":"S0","community":"C0","grid":"G0"},"category":'
    '"K0","everyday":false,"urgency":"general","wording":"case-/wording","evidence":[],"rules":{"version":"example-",'
    '"calendar":"cn-2026-","row":{"urgency":"general","limits":{"sign":"1wd","place":"4wh","reply":"1wd","visit":"1wd",'
    '"handle":"5wd","verify":"1wd","contact":"1wd","appraise":"3wd","dispatch":"24h","sign_for":"4wh","feed_back":"1wd"},'
    '"steps":[],"extension":"10wd","reopen_window":"7d"},"rework_most":2,"visit_attempts":3,"visit_gap":"2h"}},"role":'
    '"vanguard_captain","grid":"G0"},"role":"grid_head","role":"community","organisation":"C0"},"role":"grid_worker","grid":'
    '"G0"},"role":"street_dispatcher","organisation":"S0"},"role":"department_handler","organisation":"D0"},"kind":'
    '"clock_stopped","clock_id":"feed_back"},{"at":"2026-"by":{"person":"system","role":"system"},"kind":"clock_started",'
    '"clock":{"id":"sign_for:D0","kind":"handle","organisation":"D0","limit":"1wd","extended":[],"rules_version":"example-2"'
    ',"calendar_version":"cn-2026-","started_at":"2026-","warn_at":"2026-","due_at":"2026-T10:00:00Z","provisional":false,'
    '"rungs":[{"code":"remind","at":"2026-T04:00:00Z"},{"code":"urge","at":"2026-T10:00:00Z"},{"code":"circular","at":"2026-'
    'T10:00:00Z"},{"code":"interview","at":"2026-T10:00:00Z"}],"reached":[],"pauses":[]}}],"seq":1,"hash":"","plan":{'
    '"attributes":{"stage":"dispatched","departments":["D0"],"street":"S0","due_at":"2026-T10:00:00Z","rules_version":'
    '"example-2","phase":"handling","limit_at":"2026-T10:00:00Z"},"alarm":"2026-T04:00:00Z","tasks":[{"id":'
    '"handle:D0#0.1","kind":"verify","role":"grid_worker","organisation":null,"grid":"G0","person":null,"opened_at":"2026-","due_at":"2026-",'
    '"queue":null,"pick_up_within":"5m"}],"finished":false,"details":"**处置中** (handling)\\n- handle: 部门经办人 D0 '
    '— 2026- 10:00 UTC"},"answer":{"stream":"case-","command_id":"","digest":"","seq_from":1,"seq_to":1,'
    '"stage":"handling","kinds":["clock_stopped","clock_started"]}}\n\x16\n\x08encoding\x12\njson/plain\x12'
    '{"events":[{"at":"2026-","by":{"person":"system","role":"system"},"kind":"'
)

_DICTIONARIES = {b"1": _FIRST.encode()}
_NEWEST = b"1"

# Windows of four kibibytes: those of zlib's own choice take more time to prepare than all the rest. Copies of what
# knows its dictionary already take half the time of new ones.
_LEVEL, _WINDOW, _MEMORY = 4, 12, 5
_COMPRESSOR = zlib.compressobj(
    _LEVEL, zlib.DEFLATED, -_WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARIES[_NEWEST]
)
_DECOMPRESSORS = {name: zlib.decompressobj(-_WINDOW, dictionary) for name, dictionary in _DICTIONARIES.items()}


def compress(content: bytes) -> tuple[bytes, bytes]:
    """The content, smaller, and the name of how it was compressed."""
    compressor = _COMPRESSOR.copy()
    return compressor.compress(content) + compressor.flush(), _NEWEST


def decompress(compressed: bytes, how: bytes) -> bytes:
    """The content as it was. Raises ``Refused`` ``payload.unknown_compression`` for what a newer release has written.

    Raises ``zlib.error`` for what ``compress`` has not made.
    """
    known = _DECOMPRESSORS.get(how)
    if known is None:
        raise Refused("payload.unknown_compression", how=how.decode("ascii", "replace")[:16])
    decompressor = known.copy()
    return decompressor.decompress(compressed) + decompressor.flush()
