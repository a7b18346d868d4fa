#!/usr/bin/env python3
"""Verifies the evidence bundle of a Countersign run or of a period: a second reading of docs/evidence-format.md.

    python3 tools/verify.py BUNDLE --trust trust.json [--json]

BUNDLE is a folder or a zip of it. Exit codes: 0 proven, 1 refused, 3 no trust file (nothing was checked).
With --json one object is printed: {"verdict", "run", "state", "checks": [{"code", "result", "sentence"}]}.

Written from the document alone and sharing no code with the product, so that an error in one of the two shows as a
disagreement. One file on purpose, Python 3.9 or later, standard library only: an auditor can read it in one sitting and
carry it to a machine without network. Section numbers in comments are those of the document.
"""

import argparse
import base64
import binascii
import datetime
import hashlib
import json
import os
import re
import stat
import sys
import zlib

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 32
FILES_MAX = 25_000
BUNDLE_BYTES_MAX = 64 * 1024 * 1024
RUN_ENTRIES_MAX = 9_999
CONTEXT_ENTRIES_MAX = 999
PROOF_HASHES_MAX = 64
SKEW_MS = 30_000
KIB64 = 65_535
MIB = 1024 * 1024


class Refused(Exception):
    """Something in the bundle does not hold; the text says what was expected."""


class TrustError(Exception):
    """The trust file is missing or is not one."""


class Note(str):
    """The sentence of a check that had nothing to look at."""


def need(holds, sentence):
    if not holds:
        raise Refused(sentence)


# ---- Ed25519 (RFC 8032, section 5.1), verification only: nothing here is secret, so nothing has to take constant time.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
D2 = 2 * D % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    """Sum of two points in extended coordinates (X, Y, Z, T)."""
    e1 = (a[1] - a[0]) * (b[1] - b[0]) % P
    e2 = (a[1] + a[0]) * (b[1] + b[0]) % P
    e3 = a[3] * b[3] * D2 % P
    e4 = 2 * a[2] * b[2] % P
    e, f, g, h = e2 - e1, e4 - e3, e4 + e3, e2 + e1
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_double(a):
    x2, y2 = a[0] * a[0] % P, a[1] * a[1] % P
    h = x2 + y2
    e = h - (a[0] + a[1]) ** 2
    g = x2 - y2
    f = 2 * a[2] * a[2] + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_decode(data):
    """The point, or None: the y coordinate must be below p and x = 0 has no sign."""
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 % P * pow(u * v**7 % P, (P - 5) // 8, P) % P
    if v * x * x % P == P - u and u != 0:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x * x % P != u or (x == 0 and sign == 1):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def point_encode(a):
    inverse = pow(a[2], P - 2, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def multiples(point):
    """0 to 15 times a point."""
    table = [(0, 1, 1, 0), point]
    while len(table) < 16:
        table.append(point_add(table[-1], point))
    return table


BASE_TABLE = multiples(point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")))


def ed25519_verify(public_key, message, signature):
    """True if the signature is right: S below the order, and R exactly the bytes of [S]B - [k]A."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key_point = point_decode(public_key)
    s = int.from_bytes(signature[32:], "little")
    if key_point is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    minus_key = multiples((P - key_point[0], key_point[1], 1, P - key_point[3]))
    total = (0, 1, 1, 0)
    for shift in range(252, -1, -4):
        total = point_double(point_double(point_double(point_double(total))))
        total = point_add(point_add(total, BASE_TABLE[s >> shift & 15]), minus_key[k >> shift & 15])
    return point_encode(total) == signature[:32]


# ---- Bytes (1.1, 1.2)


def sha256(data):
    return hashlib.sha256(data).digest()


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse_integer(text):
    # Python reads integers of any length in quadratic time; the longest allowed has 16 digits and a sign.
    if len(text) > 17 or abs(int(text)) > INTEGER_MAX:
        raise ValueError("an integer out of range")
    return int(text)


def no_float(_):
    raise ValueError("a number that is not an integer")


def object_once(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key that stands twice")
    return result


DECODER = json.JSONDecoder(
    parse_int=parse_integer, parse_float=no_float, parse_constant=no_float, object_pairs_hook=object_once
)
KEY = re.compile(r"[ !#-\[\]-~]{1,128}")


def check_tree(value, level):
    if isinstance(value, (dict, list)):
        if level > DEPTH_MAX:
            raise ValueError("more than 32 levels")
        if isinstance(value, dict):
            for key in value:
                if not KEY.fullmatch(key):
                    raise ValueError("a key out of its form")
            value = value.values()
        for inner in value:
            check_tree(inner, level + 1)


def to_canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def from_canonical(data, what):
    """The value of canonical JSON; refuses bytes that are not exactly what would be written for it."""
    try:
        value = DECODER.decode(data.decode("utf-8"))
        check_tree(value, 1)
        same = to_canonical(value) == data
    except (ValueError, RecursionError) as error:
        raise Refused(f"expected {what} to be canonical JSON") from error
    need(same, f"expected {what} to be canonical JSON, got another spelling of it")
    return value


def from_base64(text, what):
    """Bytes of standard base64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
        same = base64.b64encode(data).decode("ascii") == text
    except (ValueError, binascii.Error) as error:
        raise Refused(f"expected {what} to be base64") from error
    need(same, f"expected {what} in the one canonical spelling of base64")
    return data


def is_salt(text):
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"==")
    except (ValueError, binascii.Error):
        return False
    return len(data) == 16 and base64.urlsafe_b64encode(data).decode("ascii") == text + "=="


def is_root(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return False
    return len(data) == 32 and base64.b64encode(data).decode("ascii") == text


TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})Z")


def time_ms(text):
    """Milliseconds since a fixed day, or None if there is no such instant."""
    match = TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, ms = (int(part) for part in match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1] or hour > 23 or minute > 59 or second > 59:
        return None
    before = year - 1
    days = 365 * year + before // 4 - before // 100 + before // 400 + sum(lengths[: month - 1]) + day
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms


# ---- Forms (1.2): a form takes a value and gives None if it fits, else the place inside the value that does not.


def text(pattern, length_max=None):
    regex = re.compile(pattern)

    def form(value):
        fits = isinstance(value, str) and (length_max is None or len(value) <= length_max) and regex.fullmatch(value)
        return None if fits else ""

    return form


def text_that(holds):
    return lambda value: None if isinstance(value, str) and holds(value) else ""


def integer(low=0, high=INTEGER_MAX):
    # bool is an int to Python, and true is not a number to JSON.
    return lambda value: None if type(value) is int and low <= value <= high else ""


def boolean(value):
    return None if isinstance(value, bool) else ""


def one_of(*words):
    return text_that(lambda value: value in words)


def or_null(form):
    return lambda value: None if value is None else form(value)


def list_of(form, low, high, distinct=None):
    """A list; `distinct` picks what may stand only once."""

    def check(value):
        if not isinstance(value, list) or not low <= len(value) <= high:
            return ""
        for place, item in enumerate(value):
            fault = form(item)
            if fault is not None:
                return f"[{place}]{fault}"
        return None if distinct is None or len({distinct(item) for item in value}) == len(value) else ""

    return check


def itself(value):
    return value


def keys(forms, optional=(), exact=True):
    """An object with these keys; `optional` ones may be missing; others are refused unless `exact` is False."""

    def check(value):
        if not isinstance(value, dict):
            return ""
        for key, form in forms.items():
            if key not in value:
                if key in optional:
                    continue
                return f".{key}"
            fault = form(value[key])
            if fault is not None:
                return f".{key}{fault}"
        return None if not exact or all(key in forms for key in value) else " (a key that has no place there)"

    return check


def different(form, one, other):
    """An object in which two keys must not hold the same."""

    def check(value):
        fault = form(value)
        return fault if fault is not None else (f".{other}" if value[one] == value[other] else None)

    return check


def fit(form, value, what):
    fault = form(value)
    need(fault is None, f"expected {what}{fault} in the form of the document")
    return value


digest = text(r"sha256:[0-9a-f]{64}")
hex64 = text(r"[0-9a-f]{64}")
time = text_that(lambda value: time_ms(value) is not None)
run_id = text(r"run_[0123456789abcdefghjkmnpqrstvwxyz]{26}")
person_id = text(r"p_[0-9a-f]{16}")
actor = text(r"p_[0-9a-f]{16}|system:[a-z][a-z-]{0,30}")
an_id = text(r"[!-~]{1,256}")
code = text(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*", 96)
role = text(r"[a-z][a-z0-9-]{0,31}")
step_id = text(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}")
verb = text(r"[a-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+@[1-9][0-9]{0,3}", 96)
procedure = text(r"[a-z][a-z0-9-]*@[1-9][0-9]{0,3}", 96)
origin = text(r"[!-*,-~]{1,128}")
query = text(r"[ -~]{0,2048}")
salt = text_that(is_salt)
root = text_that(is_root)
seed = text(r"[!-~]{1,64}")
count = integer()
whole = integer(1)
FACT_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
NOT_IN_FACTS = re.compile("[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]")


def fact(value):
    if isinstance(value, str):
        return None if len(value) <= 600 and not NOT_IN_FACTS.search(value) else ""
    return None if value is None or isinstance(value, bool) or type(value) is int else ""


def map_of(form, entries_max):
    def check(value):
        if not isinstance(value, dict) or len(value) > entries_max:
            return ""
        for key, inner in value.items():
            fault = "" if not FACT_KEY.fullmatch(key) else form(inner)
            if fault is not None:
                return f".{key[:64]}{fault}"
        return None

    return check


def nested_fact(level):
    def check(value):
        if isinstance(value, dict):
            return "" if level > 4 else map_of(nested_fact(level + 1), 64)(value)
        if isinstance(value, list):
            return "" if level > 4 else list_of(nested_fact(level + 1), 0, 256)(value)
        return fact(value)

    return check


def fact_or_list(value):
    return list_of(fact, 0, 256)(value) if isinstance(value, list) else fact(value)


ids_map = map_of(fact_or_list, 32)
facts_map = map_of(nested_fact(2), 64)


def because(value):
    fault = facts_map(value)
    return fault if fault is not None else (None if code(value.get("code")) is None else ".code")


# ---- Entries (2) and states (3)

MOVES = {
    "requested": ("planned", "blocked", "withdrawn"),
    "planned": ("awaiting_approval", "withdrawn"),
    "awaiting_approval": ("approved", "rejected", "expired", "withdrawn", "superseded"),
    "approved": ("scheduled", "executing", "superseded", "withdrawn", "expired", "blocked"),
    "scheduled": ("executing", "superseded", "withdrawn", "expired", "blocked"),
    "executing": ("overlapping", "rolling_back", "held"),
    "overlapping": ("retiring", "rolling_back", "held", "superseded"),
    "retiring": ("completed", "overlapping", "held"),
    "held": ("executing", "overlapping", "retiring", "rolling_back", "superseded", "left_as_is"),
    "rolling_back": ("rolled_back", "held"),
    "blocked": (),
    "completed": (),
    "rolled_back": (),
    "rejected": (),
    "expired": (),
    "withdrawn": (),
    "superseded": (),
    "left_as_is": (),
}
LEVELS = ("session", "idp", "passkey")
GRADES = ("none", "weak", "strong")
VERIFIED = ("accepted", "metadata-changed", "value-matched", "used")
PHASES = ("execute", "overlap", "retire", "restore")
PROFILES = ("demo", "test", "production")

state = one_of(*MOVES)
outcome_word = one_of("done", "failed", "unknown")
direction = one_of("do", "undo", "discard")
separation = one_of("none", "roles")
service_role = one_of("api", "scanner", "executor", "notifier", "all")
status = integer(0, 999)
checkpoint_ref = keys({"origin": origin, "root": root, "size": whole})
observed = {"code": code, "observed": fact, "required": fact}
word = {
    "evidenceDigest": digest, "level": one_of(*LEVELS), "person": person_id, "role": role, "statementDigest": digest,
}
freeze_word = keys({"person": person_id, "scope": query})

# Type of entry -> (scope: R always of a run, L never, E either; form of its data)
ENTRIES = {
    "log.genesis": ("L", keys({
        "build": an_id, "clock": one_of("system", "virtual"), "founders": list_of(person_id, 0, 16, itself),
        "origin": origin, "profile": one_of(*PROFILES), "separation": separation, "trustDigest": digest,
    })),
    "policy.activated": ("L", keys({"policyDigest": digest, "previous": or_null(digest)})),
    "inventory.accepted": ("L", keys({"inventoryDigest": digest})),
    "service.started": ("L", keys({
        "build": an_id, "role": service_role, "separation": separation, "worker": an_id,
    })),
    "service.stopped": ("L", keys({"role": service_role, "worker": an_id})),
    "scan.completed": ("L", keys({
        "applications": count, "findings": count, "kind": one_of("listing", "changes"), "query": query, "queryDigest": digest,
        "tenant": an_id,
    })),
    "audit.read": ("L", keys({
        "breakGlass": count, "entries": count, "from": time, "new": count, "ours": count, "outOfBand": count, "query": query,
        "tenant": an_id, "to": time, "unknown": count, "unreadable": count,
    })),
    "audit.explained": ("L", keys({
        "act": one_of("added", "removed", "unreadable"), "credential": or_null(an_id), "entry": an_id, "objectId": an_id,
        "person": person_id, "reasonDigest": digest, "tenant": an_id, "verdict": one_of("out-of-band", "unknown"),
    })),
    "population.exported": ("L", keys({
        "by": actor, "changes": count, "digest": digest, "from": time, "gaps": count, "runs": count,
        "sample": or_null(keys({"seed": seed, "size": integer(1, 10_000)})), "to": time,
    })),
    "run.requested": ("R", keys({
        "procedure": procedure, "reasonDigest": or_null(digest), "replaces": or_null(run_id), "requester": actor,
        "target": ids_map, "trigger": one_of("due", "event", "compromise", "leaver", "policy", "manual"),
    })),
    "run.validated": ("R", keys({
        "findings": list_of(keys({**observed, "result": one_of("pass", "warn", "block")}), 0, 256),
        "inventoryDigest": digest, "policyDigest": digest,
    })),
    "plan.frozen": ("R", keys({
        "planDigest": digest, "policyDigest": digest, "procedure": procedure, "procedureDigest": digest,
    })),
    "approval.given": ("R", keys({
        "decision": one_of("approve", "reject"), "evidenceDigest": digest, "level": one_of(*LEVELS),
        "person": person_id, "role": role, "statementDigest": digest,
    })),
    "approval.voided": ("R", keys({"reasons": list_of(keys(observed), 1, 64)})),
    "run.authorised": ("R", keys({
        "checkpoint": checkpoint_ref, "kind": one_of("quorum", "break-glass"), "planDigest": digest,
        "statements": list_of(digest, 1, 64, itself),
    })),
    "run.moved": ("R", keys({"because": or_null(because), "fence": count, "from": state, "to": state})),
    "step.intent": ("R", keys({
        "attempt": count, "call": code, "direction": direction, "facts": facts_map, "step": step_id,
        "target": ids_map, "verb": verb,
    })),
    "step.outcome": ("R", keys({
        "attempt": count, "build": an_id, "call": code, "connector": keys({"id": an_id, "version": an_id}),
        "direction": direction, "error": or_null(keys({"code": code, "status": status}, optional=("status",))),
        "facts": facts_map, "objectIds": ids_map, "outcome": outcome_word, "requestIds": list_of(an_id, 0, 32),
        "step": step_id, "verb": verb, "verified": or_null(one_of(*VERIFIED)),
    })),
    "step.confirmed": ("R", keys({
        "confirmation": one_of("given", "withdrawn"), "direction": one_of("do", "undo"), "level": one_of(*LEVELS),
        "person": person_id, "step": step_id,
    })),
    "recovery.started": ("E", keys({
        "deadAfterMs": count, "holder": an_id, "provenDead": boolean, "settleMs": count, "worker": an_id,
    })),
    "gate.checked": ("R", keys({
        "evidence": facts_map, "grade": one_of(*GRADES), "open": boolean, "reasons": list_of(code, 0, 64),
    })),
    "sweep.intent": ("L", keys({"credential": an_id, "of": run_id, "step": step_id, "target": ids_map})),
    "sweep.outcome": ("L", keys({"credential": an_id, "of": run_id, "outcome": outcome_word, "step": step_id})),
    "notice.sent": ("E", keys({
        "attempt": count, "channel": code, "kind": code, "outcome": outcome_word, "status": or_null(status),
    })),
    "breakglass.granted": ("R", keys(word)),
    "breakglass.confirmed": ("R", keys(word)),
    "breakglass.reviewed": ("L", keys({**word, "of": run_id, "result": one_of("accepted", "objected")})),
    "close.asked": ("R", keys({**word, "remainsDigest": digest})),
    "close.confirmed": ("R", keys({**word, "remainsDigest": digest})),
    "log.restored": ("L", keys({
        "held": count, "person": person_id, "reasonDigest": digest, "reportDigest": digest, "seen": checkpoint_ref,
        "signed": checkpoint_ref, "unknown": count, "withdrawn": count,
    })),
    "freeze.set": ("L", freeze_word),
    "freeze.lifted": ("L", freeze_word),
    "acceptance.asked": ("L", keys({
        "acceptance": count, "code": code, "credential": or_null(an_id), "object": or_null(an_id), "observed": query,
        "person": person_id, "reasonDigest": digest, "tenant": an_id, "until": time,
    })),
    "acceptance.confirmed": ("L", different(keys({"acceptance": count, "askedBy": person_id, "person": person_id}), "askedBy", "person")),
    "acceptance.expired": ("L", keys({"acceptance": count})),
    "acceptance.withdrawn": ("L", keys({"acceptance": count, "person": person_id})),
    "attachment.erased": ("L", keys({"attachment": digest, "by": actor, "reasonDigest": or_null(digest)})),
    "run.closed": ("R", keys({"entries": whole, "state": state})),
}
ENTRY_OF_RUN = keys({
    "at": time, "data": lambda _: None, "prevRunLeaf": or_null(hex64), "run": run_id,
    "runSeq": integer(0, RUN_ENTRIES_MAX - 1), "salt": salt, "type": one_of(*ENTRIES), "v": integer(1, 1),
})
NOTHING = text_that(lambda _: False)
ENTRY_OF_NONE = keys({
    "at": time, "data": lambda _: None, "prevRunLeaf": or_null(NOTHING), "run": or_null(NOTHING),
    "runSeq": or_null(NOTHING), "salt": salt, "type": one_of(*ENTRIES), "v": integer(1, 1),
})


class Entry:
    """One entry that has been read: its data and its place in the log."""

    def __init__(self, data, index, what):
        need(len(data) <= KIB64, f"expected {what} of at most 65,535 bytes")
        value = from_canonical(data, what)
        of_run = isinstance(value, dict) and value.get("run") is not None
        fit(ENTRY_OF_RUN if of_run else ENTRY_OF_NONE, value, what)
        scope, form = ENTRIES[value["type"]]
        need(scope == "E" or (scope == "R") == of_run, f"expected {what} of type {value['type']} in its scope")
        if of_run:
            first = value["runSeq"] == 0
            need((value["prevRunLeaf"] is None) == first, f"expected {what} to name the entry before unless it is first")
        self.data = fit(form, value["data"], f"{what}: data")
        self.type, self.run, self.seq, self.previous = value["type"], value["run"], value["runSeq"], value["prevRunLeaf"]
        self.at = time_ms(value["at"])
        self.leaf = sha256(b"\0" + data)
        self.index = index
        self.what = what
        self.state_before = "requested"


# ---- Merkle tree (1.3)


def node(left, right):
    return sha256(b"\1" + left + right)


def included(leaf, index, size, proof, tree_root):
    if index >= size or len(proof) > PROOF_HASHES_MAX:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == tree_root


def consistent(m, root_m, n, root_n, proof):
    if not 0 < m < n or not proof or len(proof) > PROOF_HASHES_MAX:
        return False
    path = [root_m, *proof] if m & (m - 1) == 0 else proof
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == root_m and sr == root_n


# ---- Signed notes, checkpoints, proofs, envelopes (1.4 to 1.6)

SIGNATURE_LINE = re.compile("\u2014 ([!-*,-~]{1,256}) ([A-Za-z0-9+/=]+)")
NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


def number(digits, what):
    need(NUMBER.fullmatch(digits) is not None and int(digits) <= INTEGER_MAX, f"expected {what} to be a number")
    return int(digits)


def hash_line(line, what):
    data = from_base64(line, what)
    need(len(data) == 32, f"expected {what} to hold hashes of 32 bytes")
    return data


class Checkpoint:
    """A checkpoint signed by a log key of the trust file."""

    def __init__(self, data, trust, what):
        need(len(data) <= 16_384, f"expected {what} of at most 16,384 bytes")
        try:
            note = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(f"expected {what} in UTF-8") from error
        need(not re.search("[\u0000-\u0009\u000b-\u001f\u007f]", note), f"expected {what} without control characters")
        split = note.rfind("\n\n")
        need(split >= 0 and note.endswith("\n"), f"expected {what} to be a signed note")
        body, lines = note[: split + 1], note[split + 2 : -1].split("\n")
        need(len(lines) <= 64, f"expected {what} with at most 64 signatures")
        signed = set()
        for line in lines:
            match = SIGNATURE_LINE.fullmatch(line)
            need(match is not None, f"expected a signature line in {what}")
            name, blob = match[1], from_base64(match[2], f"a signature line in {what}")
            need(len(blob) > 4, f"expected a key hash and a signature in {what}")
            for key in trust.log_keys:
                if (name, blob[:4]) == (trust.origin, key["hash"]):
                    need(key["raw"] not in signed, f"expected one signature of each log key in {what}")
                    good = ed25519_verify(key["raw"], body.encode("utf-8"), blob[4:])
                    need(good, f"expected the log's signature of {what} to verify")
                    signed.add(key["raw"])
        need(signed, f"expected {what} signed by a log key of the trust file")
        parts = body.split("\n")
        need(len(parts) == 4 and parts[3] == "", f"expected {what} of three lines")
        need(parts[0] == trust.origin, f"expected {what} of the trust file's origin")
        self.size = number(parts[1], f"the size in {what}")
        self.root_text = parts[2]
        self.root = hash_line(parts[2], f"the root in {what}")


def read_proof(data, checkpoint_bytes, what):
    """(index, hashes) of a `.tlog-proof` that carries the checkpoint verbatim."""
    head, found, tail = data.partition(b"\n\n")
    need(found and tail == checkpoint_bytes, f"expected {what} to carry log/checkpoint verbatim")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Refused(f"expected {what} in ASCII") from error
    need(lines[0] == "c2sp.org/tlog-proof@v1" and len(lines) >= 2, f"expected {what} to be a tlog-proof")
    need(lines[1].startswith("index "), f"expected {what} to name an index")
    need(len(lines) - 2 <= PROOF_HASHES_MAX, f"expected {what} of at most 64 hashes")
    return number(lines[1][6:], f"the index in {what}"), [hash_line(line, what) for line in lines[2:]]


def read_consistency(data, what):
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Refused(f"expected {what} in ASCII") from error
    need(lines.pop() == "", f"expected each line of {what} to end in a newline")
    need(1 <= len(lines) <= PROOF_HASHES_MAX, f"expected {what} of 1 to 64 hashes")
    return [hash_line(line, what) for line in lines]


ENVELOPE = keys({
    "payload": text_that(lambda _: True), "payloadType": text_that(lambda _: True),
    "signatures": list_of(keys({"keyid": text(r"[0-9a-f]{8}"), "sig": text_that(lambda _: True)}), 1, 1),
})


def open_envelope(data, payload_type, trusted, what):
    """The payload of a DSSE envelope signed by one of these keys."""
    envelope = fit(ENVELOPE, from_canonical(data, what), what)
    need(envelope["payloadType"] == payload_type, f"expected {what} with payload type {payload_type}")
    payload = from_base64(envelope["payload"], f"the payload of {what}")
    signature = envelope["signatures"][0]
    found = [key for key in trusted if key["keyId"] == signature["keyid"]]
    need(len(found) == 1, f"expected {what} signed by a key of the trust file")
    message = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode("ascii"), len(payload), payload)
    good = ed25519_verify(found[0]["raw"], message, from_base64(signature["sig"], f"the signature of {what}"))
    need(good, f"expected the signature of {what} to verify")
    return payload


# ---- Trust file (4)

TRUSTED_KEY = keys({"keyId": text(r"[0-9a-f]{8}"), "publicKey": root})
LISTED = keys({"digest": digest})
PERSON = keys({
    "person": person_id, "iss": an_id, "sub": an_id, "roles": list_of(role, 0, 32, itself), "level": one_of(*LEVELS),
})
TRUST = keys({
    "v": integer(1, 1), "origin": origin, "profile": one_of(*PROFILES), "solo": boolean,
    "logKeys": list_of(keys({"vkey": text(r"[!-~]{1,512}")}), 1, 16), "runKeys": list_of(TRUSTED_KEY, 1, 16),
    "sessionKeys": list_of(TRUSTED_KEY, 0, 16), "people": list_of(PERSON, 0, 10_000, lambda p: p["person"]),
    "policies": list_of(LISTED, 0, 10_000), "inventories": list_of(LISTED, 0, 10_000),
})


class Trust:
    """What is believed: keys, people, digests."""

    def __init__(self, data):
        need(len(data) <= MIB, "expected a trust file of at most 1 MiB")
        try:
            value = DECODER.decode(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Refused("expected the trust file to be JSON without repeated keys") from error
        fit(TRUST, value, "the trust file")
        self.origin, self.profile, self.solo = value["origin"], value["profile"], value["solo"]
        self.log_keys = [self.log_key(item["vkey"]) for item in value["logKeys"]]
        self.run_keys = [self.key(item) for item in value["runKeys"]]
        self.session_keys = [self.key(item) for item in value["sessionKeys"]]
        raw = [key["raw"] for key in self.log_keys + self.run_keys + self.session_keys]
        need(len(set(raw)) == len(raw), "expected no public key twice in the trust file")
        self.people = {person["person"]: person for person in value["people"]}
        identities = {(person["iss"], person["sub"]) for person in value["people"]}
        need(len(identities) == len(value["people"]), "expected no identity twice in the trust file")
        self.policies = {item["digest"] for item in value["policies"]}
        self.inventories = {item["digest"] for item in value["inventories"]}

    def key(self, item):
        raw = from_base64(item["publicKey"], "a public key of the trust file")
        need(sha256(raw).hex()[:8] == item["keyId"], "expected each keyId of the trust file to be its key's")
        return {"keyId": item["keyId"], "raw": raw}

    def log_key(self, vkey):
        parts = vkey.split("+", 2)
        need(len(parts) == 3 and parts[0] == self.origin, "expected a vkey that bears the trust file's origin")
        blob = from_base64(parts[2], "a vkey of the trust file")
        need(len(blob) == 33 and blob[0] == 1, "expected a vkey of an Ed25519 key")
        key_hash = sha256(parts[0].encode("ascii") + b"\n" + blob)[:4]
        need(key_hash.hex() == parts[1], "expected a vkey whose key hash is right")
        return {"hash": key_hash, "raw": blob[1:]}


def read_trust(path):
    """The trust file; TrustError if there is none or it is not one."""
    try:
        with open(path, "rb") as file:
            return Trust(file.read(MIB + 1))
    except OSError as error:
        raise TrustError(f"the trust file cannot be read: {error.strerror}") from error
    except Refused as error:
        raise TrustError(str(error)) from error


# ---- Statement (5) and plan (6)

STATEMENT_TYPE = "countersign/approval/v1"
REMAINS_TYPE = "countersign/remains/v1"
APPROVAL_PAYLOAD = "application/vnd.countersign.approval.v1+json"
SUBJECT = keys({"digest": digest, "kind": one_of("plan", "remains")})
STATEMENT = keys({
    "_type": one_of(STATEMENT_TYPE), "approver": keys({"iss": an_id, "sub": an_id}), "checkpoint": checkpoint_ref,
    "decision": one_of("approve", "reject", "break-glass", "confirm", "accept", "object", "close", "close-confirm"),
    "expiresAt": time, "issuedAt": time,
    "nonce": text(r"[A-Za-z0-9_-]{22,86}"), "policyDigest": digest, "reasonDigest": or_null(digest), "role": role,
    "rpId": an_id, "runId": run_id, "subjects": list_of(SUBJECT, 1, 16),
})


def read_statement(data, what):
    need(len(data) <= 8_192, f"expected {what} of at most 8,192 bytes")
    value = fit(STATEMENT, from_canonical(data, what), what)
    need(time_ms(value["expiresAt"]) > time_ms(value["issuedAt"]), f"expected {what} to expire after it was issued")
    return value


def is_name(value):
    return 1 <= len(value.encode("utf-16-le")) // 2 <= 200 and not re.search("[\u0000-\u001f\u007f]", value)


name = text_that(is_name)
short_id = text(r"[!-~]{1,64}")
ENTRA, POSTGRES = "entra-application", "postgres-database"
TARGETS = {
    ENTRA: keys({"kind": one_of(ENTRA), "name": name, "objectId": short_id, "appId": short_id}),
    POSTGRES: keys({
        "kind": one_of(POSTGRES), "name": name, "systemIdentifier": text(r"[!-~]{1,40}"), "database": name,
        "roles": list_of(name, 2, 2),
    }),
}


def plan_target(value):
    kind = value.get("kind") if isinstance(value, dict) else None
    return TARGETS[kind](value) if isinstance(kind, str) and kind in TARGETS else ".kind"


STEP = keys({
    "id": step_id, "verb": verb, "phase": one_of(*PHASES), "params": lambda v: None if isinstance(v, dict) else "",
    "undoable": boolean,
}, exact=False)
REQUIREMENT = keys({"role": role, "count": integer(1, 100), "people": list_of(person_id, 0, 1_000, itself)})
EMERGENCY = keys({
    "containWithinSeconds": whole, "leaveBehind": list_of(step_id, 0, 1_000, itself), "restoreWithinSeconds": whole,
    "revoke": list_of(name, 1, 100, itself), "supersedes": or_null(keys({"run": run_id, "state": state})),
})
ALLOWED = list_of(keys({"people": list_of(person_id, 0, 1_000, itself), "role": role}), 1, 32)
BREAK_GLASS = keys({
    "confirm": ALLOWED, "confirmWithinSeconds": whole, "expiresAfterSeconds": whole, "grant": ALLOWED,
    "minLevel": one_of(*LEVELS), "reviewWithinSeconds": whole, "unconfirmed": one_of("hold", "roll-back"),
})
PLAN = keys({
    "v": integer(1, 1), "run": run_id, "requester": actor, "prod": boolean, "policyDigest": digest,
    "inventoryDigest": digest, "tenant": keys({"id": short_id, "name": name}),
    "procedure": keys({"name": text(r"[a-z][a-z0-9-]*", 80), "major": integer(1, 9_999), "digest": digest}),
    "target": plan_target,
    "baseline": keys({"owners": list_of(person_id, 0, 1_000, itself)}, exact=False),
    "old": keys(
        {"id": name, "expiresAt": or_null(time), "binding": one_of("ours", "hint", "unproven", "named")}, exact=False
    ),
    "steps": list_of(STEP, 1, 1_000, lambda step: step["id"]),
    "timing": keys({"notBefore": time, "overlapSeconds": count}, exact=False),
    "retire": keys({"minGrade": one_of(*GRADES), "consumerLevel": one_of(*VERIFIED)}, exact=False),
    "approvals": keys({
        "expiresAfterSeconds": whole, "minLevel": one_of(*LEVELS),
        "require": list_of(REQUIREMENT, 1, 32, lambda item: item["role"]),
        "separation": list_of(one_of("requester-cannot-approve", "one-person-one-role"), 0, 2, itself),
    }),
    "emergency": EMERGENCY, "breakGlass": BREAK_GLASS,
}, exact=False, optional=("emergency", "breakGlass"))
EMERGENCIES = ("emergency-revoke",)
NAMING = ("entra-replace-foreign",)
# The step that shows that what lived on a named credential uses the new one.
HOLDER = "switched"
# What names the credential, and what names the place it is at, by kind of target.
REMOVED_KEY = {ENTRA: "keyId", POSTGRES: "role"}
PLACE_KEYS = {ENTRA: ("objectId", "appId"), POSTGRES: ("systemIdentifier",)}
REQUESTED_KEYS = {ENTRA: ("objectId", "appId"), POSTGRES: ("systemIdentifier", "database")}


def same(a, b):
    # True == 1 to Python; not so in JSON.
    return type(a) is type(b) and a == b


def read_plan(data):
    need(len(data) <= MIB, "expected plan.json of at most 1 MiB")
    plan = fit(PLAN, from_canonical(data, "plan.json"), "plan.json")
    retire = {step["verb"] for step in plan["steps"] if step["phase"] == "retire"}
    others = {step["verb"] for step in plan["steps"] if step["phase"] != "retire"}
    need(not retire & others, "expected the verb of a retire step in no step of another phase")
    read_emergency(plan)
    read_named(plan)
    return plan


def read_emergency(plan):
    """Only an emergency may do without an overlap, leave consumers behind and revoke more than one credential."""
    emergency = plan.get("emergency")
    is_one = plan["procedure"]["name"] in EMERGENCIES
    need(is_one == (emergency is not None), "expected plan.emergency in the plan of an emergency and in no other")
    if emergency is None:
        need(plan["timing"]["overlapSeconds"] > 0, "expected an overlap in a plan that is no emergency")
        late = any(step["phase"] == "restore" for step in plan["steps"])
        need(not late, "expected no step of phase restore in a plan that is no emergency")
        return
    updates = {s["id"] for s in plan["steps"] if s["phase"] == "execute" and s["id"].startswith("update:")}
    need(set(emergency["leaveBehind"]) <= updates, "expected only updates of consumers to be left behind")
    need(emergency["revoke"][0] == plan["old"]["id"], "expected the old credential first among those revoked")
    key = REMOVED_KEY[plan["target"]["kind"]]
    removed = [s["params"][key] for s in plan["steps"] if s["phase"] == "retire" and key in s["params"]]
    whole_list = len(removed) == len(emergency["revoke"]) and all(one in removed for one in emergency["revoke"])
    need(whole_list, "expected one retire step for each credential that is revoked")


def read_named(plan):
    """A credential that the request names goes alone, with a yes of security, and an owner moves what lives on it."""
    binding, steps = plan["old"]["binding"], plan["steps"]
    if plan["procedure"]["name"] not in NAMING:
        need(binding != "named", "expected a credential that is named in the plan of a procedure for that alone")
        return
    need(plan.get("breakGlass") is None, "expected no break-glass where a credential is named")
    roles = [item["role"] for item in plan["approvals"]["require"]]
    need("security" in roles, "expected security among the approvals where a credential is named")
    need(plan["retire"]["minGrade"] != "none", "expected a grade where a credential is named")
    removed = [s["params"].get(REMOVED_KEY[plan["target"]["kind"]]) for s in steps if s["phase"] == "retire"]
    need(len(removed) == 1 and same(removed[0], plan["old"]["id"]), "expected one retire step, of the one that is named")
    if binding != "named":
        return
    asks = any(s["id"] == "switch" and s["phase"] == "execute" and s["verb"].startswith("manual.ask@") for s in steps)
    shows = any(s["id"] == HOLDER and s["phase"] == "overlap" and s["params"].get("update") == "switch" for s in steps)
    need(asks and shows, "expected an owner to be asked for what lives on the named credential, and that to be shown")


# ---- Reading a bundle (7)

SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}(/[A-Za-z0-9._-]{1,128}){0,3}")
SIZES = (
    (re.compile(r"SHA256SUMS|run\.dsse\.json|attachments/[0-9a-f]{64}|range/[0-9]{4}"), 4 * MIB),
    (re.compile(r"population\.json"), 16 * MIB),
    (re.compile(r"plan\.json|policy\.yaml"), MIB),
    (re.compile(r"log/checkpoint"), 16_384),
    (re.compile(r"README\.txt|(entries|context|approvals|anchors|log)/.*"), KIB64),
)
FOLDERS = ("entries", "context", "approvals", "attachments", "anchors", "log", "range")


def bytes_max_of(file_name):
    """Most bytes a file of this name may have; files that have no place are refused later, by name."""
    return next((size for pattern, size in SIZES if pattern.fullmatch(file_name)), 4 * MIB)


class Files(dict):
    """Files by name, within the limits."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def put(self, file_name, data):
        need(SAFE_NAME.fullmatch(file_name) is not None, "expected names of files as the document has them")
        need(file_name not in self, "expected each file once")
        need(len(data) <= bytes_max_of(file_name), f"expected {file_name} within its limit of bytes")
        self.bytes += len(data)
        need(self.bytes <= BUNDLE_BYTES_MAX, "expected a bundle of at most 64 MiB")
        need(len(self) < FILES_MAX, "expected at most 25,000 files")
        self[file_name] = data


def read_folder(path):
    files, folders, seen = Files(), [""], 0
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(path, folder) if folder else path) as listing:
            for item in listing:
                seen += 1
                need(seen <= 2 * FILES_MAX, "expected at most 25,000 files")
                inner = f"{folder}/{item.name}" if folder else item.name
                need(SAFE_NAME.fullmatch(inner) is not None, "expected names of files as the document has them")
                need(not item.is_symlink(), f"expected no links, got {inner}")
                if item.is_dir(follow_symlinks=False):
                    need(inner in FOLDERS, f"expected no folder {inner} in a bundle")
                    folders.append(inner)
                else:
                    files.put(inner, read_regular(os.path.join(path, inner), inner))
    return files


def read_regular(path, what):
    """The bytes of a regular file; never waits on a pipe and never follows a link."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        need(stat.S_ISREG(os.fstat(handle).st_mode), f"expected {what} to be a file")
        return file.read(bytes_max_of(what) + 1)


def u16(value):
    return value.to_bytes(2, "little")


def u32(value):
    return value.to_bytes(4, "little")


def zip_headers(file_name, data, offset):
    """The local and the central header the document asks for."""
    encoded = file_name.encode("ascii")
    sizes = u32(zlib.crc32(data)) + u32(len(data)) + u32(len(data))
    common = u16(20) + u16(0) + u16(0) + u16(0) + u16(0x0021) + sizes + u16(len(encoded)) + u16(0)
    central = b"PK\1\2" + u16(20) + common + u16(0) + u16(0) + u16(0) + u32(0) + u32(offset) + encoded
    return b"PK\3\4" + common + encoded, central


def read_zip(data):
    """Reads the members one after the other, then writes the zip anew: only the one exact form gives the same bytes."""
    files, at = Files(), 0
    while data[at : at + 4] == b"PK\3\4":
        need(len(data) >= at + 30, "expected a whole header in the zip")
        size = int.from_bytes(data[at + 18 : at + 22], "little")
        length = int.from_bytes(data[at + 26 : at + 28], "little")
        start = at + 30 + length
        need(start + size <= len(data), "expected the zip to hold what its headers say")
        files.put(data[at + 30 : start].decode("ascii"), data[start : start + size])
        at = start + size
    local, central, offset = [], [], 0
    for file_name in sorted(files):
        header, entry = zip_headers(file_name, files[file_name], offset)
        local += [header, files[file_name]]
        central.append(entry)
        offset += len(header) + len(files[file_name])
    directory = b"".join(central)
    numbers = u16(0) + u16(0) + u16(len(files)) + u16(len(files)) + u32(len(directory)) + u32(offset) + u16(0)
    whole_zip = b"".join(local) + directory + b"PK\5\6" + numbers
    need(files and whole_zip == data, "expected a zip in the one exact form of the document")
    return files


def read_bundle(path):
    if os.path.isdir(path):
        return read_folder(path)
    with open(path, "rb") as file:
        need(stat.S_ISREG(os.fstat(file.fileno()).st_mode), "expected a folder or a zip")
        data = file.read(2 * BUNDLE_BYTES_MAX + 1)
    need(len(data) <= 2 * BUNDLE_BYTES_MAX, "expected a zip of at most 128 MiB")
    return read_zip(data)


# ---- The checks (8)

README = """\
Evidence of one Countersign run
===============================

Run:   {run}
State: {state}{open}
Log:   {origin}, {size} entries

What this is
  Everything this run left behind, with the proofs that it stands in the log above.
  entries/      what happened, in order, one JSON file each, with its proof of inclusion
  plan.json     the exact steps people were asked to approve (if the run came that far)
  policy.yaml   the rules it was judged by
  approvals/    what each person signed, and the signature
  attachments/  texts that entries name by digest only
  context/      entries of no run that the check needs
  log/ anchors/ signed states of the log, and proofs that it only ever grew
  run.dsse.json a signed summary

How to check it
  countersign verify <this folder> --trust trust.json
  Get trust.json from someone you trust, never from whoever gave you this folder.
  The format is described in docs/evidence-format.md, well enough to write your own check.

What it cannot show
  Actions taken outside Countersign; what was on an approver's screen; and, against an
  operator who holds the log's keys, history after the last approval in the log.
"""
OPEN_WORDS = " (open: this run had not ended when the bundle was made)"


class Call:
    """An intent with its outcomes so far."""

    def __init__(self, entry):
        self.entry = entry
        self.outcomes = []

    @property
    def last(self):
        return self.outcomes[-1].data["outcome"] if self.outcomes else "started"


class Standing:
    """How steps stand (8.5), fed with the run's entries in the order of the log."""

    def __init__(self):
        self.calls = {}
        self.newest = {}
        self.takers = {}
        self.confirmed = {}

    def feed(self, entry):
        if entry.type not in ("step.intent", "step.outcome"):
            return
        data = entry.data
        call = self.calls.get(call_key(data))
        if entry.type == "step.outcome":
            call.outcomes.append(entry)
            if data["direction"] == "do" and data["outcome"] == "done":
                self.confirmed[data["step"]] = data["verified"]
            return
        call = self.calls[call_key(data)] = Call(entry)
        step = data["step"]
        if data["direction"] == "do":
            self.newest[step], self.takers[step] = call, []
        elif step in self.newest:
            if data["direction"] == "undo" or data["attempt"] == self.newest[step].entry.data["attempt"]:
                self.takers[step].append(call)

    def stands(self, step):
        """not begun, started, done, failed or unknown."""
        return self.newest[step].last if step in self.newest else "not begun"

    def taken_back(self, step):
        return any(taker.last == "done" for taker in self.takers.get(step, ()))

    def done(self, step):
        return self.stands(step) == "done" and not self.taken_back(step)


def call_key(data):
    return (data["step"], data["direction"], data["attempt"], data["call"])


class Verifier:
    """The checks over one bundle; each believes what the ones before it established."""

    def __init__(self, files, trust):
        self.files = files
        self.trust = trust
        self.plan = None
        self.proven = {}
        self.statements = {}
        self.proofs = {}
        self.calls = {}

    def file(self, file_name):
        need(file_name in self.files, f"expected the file {file_name}")
        return self.files[file_name]

    def of(self, *types):
        return [entry for entry in self.entries if entry.type in types]

    def check_files(self):
        names = sorted(file_name for file_name in self.files if file_name != "SHA256SUMS")
        lines = [f"{hashlib.sha256(self.files[file_name]).hexdigest()}  {file_name}\n" for file_name in names]
        listed = self.file("SHA256SUMS")
        need("".join(lines).encode("utf-8") == listed, "expected SHA256SUMS to be the list of all other files")
        return f"{len(names)} files are as SHA256SUMS lists them"

    def check_checkpoint(self):
        self.log = Checkpoint(self.file("log/checkpoint"), self.trust, "log/checkpoint")
        return f"the log of {self.log.size} entries is signed by a log key"

    def read_entries(self, folder, entries_max):
        entries = []
        while f"{folder}/{len(entries):04d}.json" in self.files:
            stem = f"{folder}/{len(entries):04d}"
            need(len(entries) < entries_max, f"expected at most {entries_max} files of entries in {folder}/")
            proof_name = f"{stem}.tlog-proof"
            index, hashes = read_proof(self.file(proof_name), self.files["log/checkpoint"], proof_name)
            entry = Entry(self.files[f"{stem}.json"], index, f"{stem}.json")
            self.proofs[stem] = hashes
            entries.append(entry)
        return entries

    def check_entries(self):
        self.entries = self.read_entries("entries", RUN_ENTRIES_MAX)
        need(self.entries, "expected the file entries/0000.json")
        self.context = self.read_entries("context", CONTEXT_ENTRIES_MAX)
        return f"{len(self.entries)} entries of the run and {len(self.context)} of no run are well-formed"

    def check_inclusion(self):
        for entry in self.entries + self.context:
            proof = self.proofs[entry.what[: -len(".json")]]
            holds = included(entry.leaf, entry.index, self.log.size, proof, self.log.root)
            need(holds, f"expected {entry.what} to stand in the log at {entry.index}")
        return "every entry stands in the log"

    def check_run_chain(self):
        first = self.entries[0]
        need(first.type == "run.requested", "expected the first entry to be run.requested")
        need(len(self.of("run.requested")) == 1, "expected one run.requested")
        self.run, before = first.run, None
        for seq, entry in enumerate(self.entries):
            need(entry.run == self.run, f"expected {entry.what} to be of the same run")
            need(entry.seq == seq, f"expected {entry.what} with its file's number as runSeq")
            leaf = None if before is None else before.leaf.hex()
            need(entry.previous == leaf, f"expected {entry.what} to name the leaf hash of the entry before")
            need(before is None or before.index < entry.index, f"expected {entry.what} later in the log")
            last = seq == len(self.entries) - 1
            need(entry.type != "run.closed" or last, "expected run.closed to be the last entry")
            before = entry
        self.closed = before.type == "run.closed"
        holds = not self.closed or before.data["entries"] == len(self.entries)
        need(holds, "expected run.closed to count the run's entries")
        return f"{len(self.entries)} entries hang together from the request on"

    def check_genesis(self):
        need(self.context, "expected the file context/0000.json")
        first = self.context[0]
        need(first.type == "log.genesis" and first.index == 0, "expected the log's first entry to be log.genesis")
        need(first.data["origin"] == self.trust.origin, "expected log.genesis with the trust file's origin")
        need(first.data["profile"] == self.trust.profile, "expected log.genesis with the trust file's profile")
        holds = first.data["clock"] == "system" or first.data["profile"] != "production"
        need(holds, "expected no virtual clock in profile production")
        return "the log began as the trust file says"

    def check_time_order(self):
        latest = None
        for entry in self.entries:
            holds = latest is None or entry.at >= latest - SKEW_MS
            need(holds, f"expected the time of {entry.what} not to be before that of the entries before it")
            latest = entry.at if latest is None else max(latest, entry.at)
        return "times never go back by more than the skew"

    def check_state_moves(self):
        self.state, fence = "requested", 0
        for entry in self.entries:
            entry.state_before = self.state
            data = entry.data
            if entry.type == "run.moved":
                need(data["from"] == self.state, f"expected {entry.what} to move from {self.state}")
                need(data["to"] in MOVES[self.state], f"expected {entry.what} to be a legal move from {self.state}")
                need(data["fence"] >= fence, f"expected the fence of {entry.what} not to fall")
                self.state, fence = data["to"], data["fence"]
            elif entry.type == "run.closed":
                need(data["state"] == self.state, f"expected run.closed to say {self.state}")
                need(not MOVES[self.state], f"expected run.closed only in a final state, got {self.state}")
        self.frozen = self.of("plan.frozen")
        limit = self.frozen[0].index if self.frozen else INTEGER_MAX
        validations = [entry for entry in self.of("run.validated") if entry.index < limit]
        self.governing = validations[-1] if validations else None
        policy_from = self.frozen[0] if self.frozen else self.governing
        self.policy = policy_from.data["policyDigest"] if policy_from else None
        self.erased = {e.data["attachment"] for e in self.context if e.type == "attachment.erased"}
        return f"every move is legal; the run is {self.state}{'' if self.closed else ' and open'}"

    def check_policy(self):
        if self.policy is None:
            return Note("the run came to no policy")
        need(self.policy in self.trust.policies, "expected a policy that the trust file lists")
        need(digest_of(self.file("policy.yaml")) == self.policy, "expected policy.yaml with the run's policy digest")
        return "the policy is one that the trust file lists"

    def check_inventory(self):
        if self.governing is None:
            need(not self.frozen, "expected a run.validated before plan.frozen")
            return Note("the run was not validated")
        listed = self.governing.data["inventoryDigest"] in self.trust.inventories
        need(listed, "expected an inventory that the trust file lists")
        return "the inventory is one that the trust file lists"

    def check_plan(self):
        need(len(self.frozen) <= 1, "expected at most one plan.frozen")
        if not self.frozen:
            return Note("there is no plan")
        frozen, governing, request = self.frozen[0].data, self.governing.data, self.entries[0].data
        data = self.file("plan.json")
        need(digest_of(data) == frozen["planDigest"], "expected plan.json with the digest of plan.frozen")
        plan = read_plan(data)
        need(plan["run"] == self.run, "expected the plan of this run")
        need(plan["requester"] == request["requester"], "expected the plan to name the run's requester")
        policies = {plan["policyDigest"], frozen["policyDigest"], governing["policyDigest"]}
        need(len(policies) == 1, "expected plan, plan.frozen and validation to name one policy")
        need(plan["inventoryDigest"] == governing["inventoryDigest"], "expected the plan to name the inventory validated")
        blocked = any(finding["result"] == "block" for finding in governing["findings"])
        need(not blocked, "expected no plan after a blocking finding")
        named = f"{plan['procedure']['name']}@{plan['procedure']['major']}"
        need(named == frozen["procedure"] == request["procedure"], "expected plan, plan.frozen and request to name one procedure")
        compromise = plan.get("emergency") is None or request["trigger"] == "compromise"
        need(compromise, "expected an emergency to be asked for because of a compromise")
        if plan["procedure"]["name"] in NAMING:
            meant = same(request["target"].get("credential"), plan["old"]["id"]) and request["trigger"] != "compromise"
            need(meant, "expected the plan to retire the credential that was asked for")
        need(plan["procedure"]["digest"] == frozen["procedureDigest"], "expected the plan's procedure digest in plan.frozen")
        target = plan["target"]
        for key in REQUESTED_KEYS[target["kind"]]:
            holds = key not in request["target"] or same(request["target"][key], target[key])
            need(holds, f"expected the plan's {key} to be the one requested")
        self.plan = plan
        self.steps = {step["id"]: step for step in plan["steps"]}
        return f"plan.json is the plan frozen, of {len(self.steps)} steps"

    def check_approvals(self):
        given = self.of("approval.given")
        glass = self.check_glass() + self.check_closes()
        if not given and not glass:
            return Note("nobody decided")
        need(self.plan is not None or not given, "expected no approval without a plan")
        nonces = set()
        for entry in given:
            statement_digest = entry.data["statementDigest"]
            need(statement_digest not in self.statements, "expected each statement once")
            self.statements[statement_digest] = entry
            if f"approvals/{statement_digest[7:]}.statement.json" not in self.files and statement_digest in self.erased:
                continue
            statement = self.check_word(entry, entry.data["decision"], self.plan["approvals"]["expiresAfterSeconds"])
            need(statement["nonce"] not in nonces, "expected each statement with a nonce of its own")
            nonces.add(statement["nonce"])
            self.proven[statement_digest] = (entry, statement)
        proven = f"{len(self.proven)} of {len(given) + len(glass)} words"
        return f"{proven} are signed, by enrolled people, about this plan"

    def check_glass(self):
        """The words on a break-glass use: the grant, a second person's confirmation, reviews (8.7)."""
        grants, confirmations = self.of("breakglass.granted"), self.of("breakglass.confirmed")
        reviews = [entry for entry in self.context if entry.type == "breakglass.reviewed"]
        self.grant, self.confirmation = None, None
        need(len(grants) <= 1 and len(confirmations) <= 1, "expected at most one grant and one confirmation")
        if not grants:
            need(not confirmations, "expected no confirmation without a break-glass grant")
            return []
        terms = self.plan.get("breakGlass") if self.plan else None
        need(terms is not None, "expected a plan that allows break-glass")
        grant, nonces = grants[0], set()
        for entry in grants + confirmations + reviews:
            first = entry is grant
            result = entry.data.get("result")
            decision = "break-glass" if first else {None: "confirm", "accepted": "accept", "objected": "object"}[result]
            need(first or entry.data["person"] != grant.data["person"], f"expected {entry.what} by somebody else")
            need(first or entry.index > grant.index, f"expected {entry.what} after the break-glass grant")
            statement_digest = entry.data["statementDigest"]
            need(statement_digest not in self.statements, "expected each statement once")
            self.statements[statement_digest] = entry
            there = f"approvals/{statement_digest[7:]}.statement.json" in self.files
            if not there and statement_digest in self.erased:
                need(not first, "expected the statement of the break-glass grant")
                continue
            least = terms["expiresAfterSeconds"] if first else self.plan["approvals"]["expiresAfterSeconds"]
            statement = self.check_word(entry, decision, least)
            allowed = terms["grant" if first else "confirm"]
            named = any(a["role"] == entry.data["role"] and entry.data["person"] in a["people"] for a in allowed)
            need(named, f"expected {entry.what} by a person whom the plan names")
            high = LEVELS.index(entry.data["level"]) >= LEVELS.index(terms["minLevel"])
            need(high, f"expected {entry.what} at level {terms['minLevel']} or higher")
            need(statement["nonce"] not in nonces, "expected each word with a nonce of its own")
            nonces.add(statement["nonce"])
            self.proven[statement_digest] = (entry, statement)
            if first:
                need(statement["reasonDigest"] is not None, "expected a break-glass grant with a reason")
                attested = self.plan["prod"] and entry.data["level"] == "session"
                need(not attested, "expected no break-glass grant at level session in prod")
                self.grant = (entry, statement)
            elif decision == "confirm":
                self.confirmation = entry
        return grants + confirmations + reviews

    def check_closes(self):
        """The words about closing a held run as it stands, each over the list of what remains (8.8)."""
        words, nonces = self.of("close.asked", "close.confirmed"), set()
        self.closing = []
        need(not words or self.plan is not None, "expected no close without a plan")
        for entry in words:
            data, asks = entry.data, entry.type == "close.asked"
            need(data["statementDigest"] not in self.statements, "expected each statement once")
            self.statements[data["statementDigest"]] = entry
            there = f"approvals/{data['statementDigest'][7:]}.statement.json" in self.files
            if not there and data["statementDigest"] in self.erased:
                continue
            roles = ("app-owner", "platform", "security") if asks else ("security",)
            need(data["role"] in roles, f"expected {entry.what} in role {' or '.join(roles)}")
            owns = data["role"] != "app-owner" or data["person"] in self.plan["baseline"]["owners"]
            need(owns, f"expected {entry.what} as app-owner by an owner of the application")
            least = self.plan["approvals"]["minLevel"]
            high = LEVELS.index(data["level"]) >= LEVELS.index(least)
            need(high, f"expected {entry.what} at level {least} or higher")
            decision = "close" if asks else "close-confirm"
            lives = self.plan["approvals"]["expiresAfterSeconds"]
            statement = self.check_word(entry, decision, lives, data["remainsDigest"])
            need(not asks or statement["reasonDigest"] is not None, f"expected {entry.what} with a reason")
            remains = digest_of(self.remains_before(entry))
            need(data["remainsDigest"] == remains, f"expected {entry.what} to list what remains by the entries")
            need(statement["nonce"] not in nonces, "expected each word with a nonce of its own")
            nonces.add(statement["nonce"])
            self.proven[data["statementDigest"]] = (entry, statement)
            self.closing.append((entry, statement))
        return words

    def remains_before(self, close):
        """The list of what a run leaves outside, as canonical bytes (8.8)."""
        attempts = []
        for entry in self.entries[: close.seq]:
            if entry.type not in ("step.intent", "step.outcome"):
                continue
            data = entry.data
            if data["direction"] == "do":
                if entry.type == "step.intent":
                    attempts.append({"intent": data, "outcome": None, "back": False, "unclear": False})
                    continue
                for attempt in attempts:
                    if all(attempt["intent"][key] == data[key] for key in ("step", "attempt", "call")):
                        attempt["outcome"] = data
                continue
            for attempt in attempts:
                intent = attempt["intent"]
                hit = intent["step"] == data["step"] and (data["direction"] == "undo" or intent["attempt"] == data["attempt"])
                if hit and entry.type == "step.intent":
                    attempt["unclear"] = True
                elif hit and data["outcome"] != "unknown":
                    attempt["unclear"] = False
                    attempt["back"] = attempt["back"] or data["outcome"] == "done"
        left, removals, seen = [], [], {}
        for attempt in attempts:
            intent, outcome = attempt["intent"], attempt["outcome"]
            word = outcome["outcome"] if outcome else None
            step = self.steps.get(intent["step"])
            if step is None:
                continue
            if step["phase"] == "retire":
                removals.append(word)
            if intent["step"].startswith("confirm:") and word == "done":
                seen[intent["step"][8:]] = outcome["verified"]
            if step["phase"] != "execute" or not step["undoable"] or attempt["back"]:
                continue
            ids = outcome["objectIds"] if outcome else {}
            facts = {} if outcome is None else outcome["facts"]
            traces = facts.get("performed") is True or facts.get("landed") is True or same(facts.get("reconciled"), "repeat")
            if word == "failed" and not ids and not traces:
                continue
            marker = intent["facts"].get("displayName")
            left.append({
                "attempt": intent["attempt"], "ids": ids, "marker": marker if isinstance(marker, str) else None,
                "standing": "done" if word == "done" and not attempt["unclear"] else "unknown",
                "step": intent["step"], "target": intent["target"],
            })
        names = []
        for step_of in self.plan["steps"]:
            kind, colon, consumer = step_of["id"].partition(":")
            if kind in ("update", "confirm") and colon and consumer and consumer not in names:
                names.append(consumer)
        standing = "removed" if "done" in removals else "untouched" if all(r == "failed" for r in removals) else "unknown"
        old = self.plan["old"]
        return to_canonical({
            "_type": REMAINS_TYPE,
            "consumers": [{"name": consumer, "verified": seen.get(consumer)} for consumer in names],
            "left": left,
            "old": {"expiresAt": old["expiresAt"], "id": old["id"], "standing": standing},
            "run": self.run,
        })

    def check_word(self, entry, decision, expires_after, remains=None):
        data = entry.data
        stem = f"approvals/{data['statementDigest'][7:]}"
        what = f"{stem}.statement.json"
        written, envelope = self.file(what), self.file(f"{stem}.dsse.json")
        need(digest_of(written) == data["statementDigest"], f"expected {what} with its digest")
        need(digest_of(envelope) == data["evidenceDigest"], f"expected {stem}.dsse.json with the digest in {entry.what}")
        need(data["level"] == "session", f"expected {entry.what} at level session, the only one that can be checked")
        payload = open_envelope(envelope, APPROVAL_PAYLOAD, self.trust.session_keys, f"{stem}.dsse.json")
        need(payload == written, f"expected {stem}.dsse.json to carry the statement")
        statement = read_statement(payload, what)
        person = self.trust.people.get(data["person"])
        need(person is not None, f"expected {entry.what} by a person of the trust file")
        identity = {"iss": person["iss"], "sub": person["sub"]}
        need(statement["approver"] == identity, f"expected {what} by the identity of the person in {entry.what}")
        need(data["role"] in person["roles"], f"expected {entry.what} in a role the person has")
        high = LEVELS.index(data["level"]) >= LEVELS.index(person["level"])
        need(high, f"expected {entry.what} at the level the person is enrolled at")
        need(statement["runId"] == self.run, f"expected {what} about this run")
        need(statement["decision"] == decision, f"expected {what} to say {decision}")
        need(statement["role"] == data["role"], f"expected {what} with the role of {entry.what}")
        need(statement["policyDigest"] == self.plan["policyDigest"], f"expected {what} under the plan's policy")
        subjects = [{"digest": self.frozen[0].data["planDigest"], "kind": "plan"}]
        if remains is not None:
            subjects.append({"digest": remains, "kind": "remains"})
        need(statement["subjects"] == subjects, f"expected {what} about exactly this plan, and what remains in a close")
        need(self.frozen[0].index < entry.index, f"expected {entry.what} after plan.frozen")
        need(statement["checkpoint"]["size"] <= entry.index, f"expected {what} to name a log before {entry.what}")
        issued, expires = time_ms(statement["issuedAt"]), time_ms(statement["expiresAt"])
        need(expires - issued <= expires_after * 1000, f"expected {what} to expire when the plan says")
        need(issued <= entry.at + SKEW_MS, f"expected {what} to be issued before {entry.what}")
        return statement

    def check_attachments(self):
        reasons = [self.entries[0].data["reasonDigest"]]
        reasons += [statement["reasonDigest"] for _, statement in self.proven.values()]
        reasons += [entry.data["remainsDigest"] for entry in self.of("close.asked", "close.confirmed")]
        self.reasons = {reason for reason in reasons if reason is not None}
        for reason in self.reasons:
            file_name = f"attachments/{reason[7:]}"
            if file_name in self.files:
                need(digest_of(self.files[file_name]) == reason, f"expected {file_name} with its digest")
            else:
                need(reason in self.erased, f"expected the file {file_name}, or its erasure in the context")
        return f"{len(self.reasons)} reasons are there or erased" if self.reasons else Note("no reason is named")

    def check_context(self):
        policies, gone, before = 0, set(), -1
        for place, entry in enumerate(self.context):
            need(entry.index > before, f"expected {entry.what} later in the log")
            before = entry.index
            if place == 0:
                continue
            if entry.type == "policy.activated":
                policies += 1
                named = entry.data["policyDigest"] == self.policy
                need(named and self.governing is not None, f"expected {entry.what} to be of the run's policy")
                need(entry.index < self.governing.index, f"expected {entry.what} before the validation")
            elif entry.type == "breakglass.reviewed":
                need(entry.data["of"] == self.run, f"expected {entry.what} to review this run")
                need(self.of("breakglass.granted"), f"expected {entry.what} only of a break-glass use")
            else:
                need(entry.type == "attachment.erased", f"expected no {entry.type} in the context")
                attachment = entry.data["attachment"]
                named = attachment in self.reasons or attachment in self.statements
                need(named and attachment not in gone, f"expected {entry.what} to erase what the run names, once")
                gone.add(attachment)
        need(policies == (0 if self.policy is None else 1), "expected one policy.activated for the run's policy")
        return "the context holds what the check needs and nothing else"

    def check_anchors(self):
        named = [statement["checkpoint"] for _, statement in self.proven.values()]
        named += [entry.data["checkpoint"] for entry in self.of("run.authorised")]
        self.anchors, roots = set(), {}
        for reference in named:
            size = reference["size"]
            need(reference["origin"] == self.trust.origin, "expected checkpoints of this log")
            need(size <= self.log.size, "expected checkpoints no larger than the log")
            if size == self.log.size:
                need(reference["root"] == self.log.root_text, "expected the checkpoint named to have the log's root")
                continue
            if size not in roots:
                roots[size] = self.anchor(size)
            need(reference["root"] == roots[size], f"expected the root of anchors/checkpoint.{size} in what names it")
        self.anchors = set(roots)
        return f"the log grew from {len(named)} checkpoints that were signed for" if named else Note("no checkpoint is named")

    def anchor(self, size):
        file_name, proof_name = f"anchors/checkpoint.{size}", f"log/consistency-{size}-{self.log.size}.txt"
        anchor = Checkpoint(self.file(file_name), self.trust, file_name)
        need(anchor.size == size, f"expected {file_name} to be of that size")
        proof = read_consistency(self.file(proof_name), proof_name)
        holds = consistent(size, anchor.root, self.log.size, self.log.root, proof)
        need(holds, f"expected {file_name} to be a beginning of the log")
        return anchor.root_text

    def check_file_set(self):
        wanted = {"README.txt", "SHA256SUMS", "run.dsse.json", "log/checkpoint"}
        for folder, entries in (("entries", self.entries), ("context", self.context)):
            for place in range(len(entries)):
                wanted |= {f"{folder}/{place:04d}.json", f"{folder}/{place:04d}.tlog-proof"}
        if self.frozen:
            wanted.add("plan.json")
        if self.frozen or self.of("run.validated"):
            wanted.add("policy.yaml")
        wanted |= {f"attachments/{reason[7:]}" for reason in self.reasons - self.erased}
        for statement_digest in set(self.statements) - self.erased:
            wanted |= {f"approvals/{statement_digest[7:]}.{kind}.json" for kind in ("statement", "dsse")}
        for size in self.anchors:
            wanted |= {f"anchors/checkpoint.{size}", f"log/consistency-{size}-{self.log.size}.txt"}
        for file_name in sorted(set(self.files) ^ wanted):
            raise Refused(f"expected {'no file' if file_name in self.files else 'the file'} {file_name}")
        return f"the {len(wanted)} files are those the run asks for"

    def check_authorisation(self):
        authorisations = self.of("run.authorised")
        need(len(authorisations) <= 1, "expected at most one run.authorised")
        self.authorised = authorisations[0] if authorisations else None
        self.counted = []
        if self.authorised is None:
            return Note("nothing was authorised")
        entry, data = self.authorised, self.authorised.data
        need(self.plan is not None, "expected no authorisation without a plan")
        need(data["planDigest"] == self.frozen[0].data["planDigest"], "expected the authorisation of the plan frozen")
        need(data["checkpoint"]["size"] <= entry.index, "expected the authorisation to name a log before it")
        ready = entry.state_before in ("approved", "scheduled", "executing")
        need(ready, f"expected the authorisation in a run that is approved, got {entry.state_before}")
        for other in self.entries[: entry.seq]:
            rejected = other.type == "approval.given" and other.data["decision"] == "reject"
            need(not rejected, "expected no authorisation after a rejection")
            need(other.type != "approval.voided", "expected no authorisation after approvals were voided")
        if data["kind"] == "break-glass":
            return self.check_grant_counts(entry)
        for statement_digest in data["statements"]:
            need(statement_digest in self.proven, "expected the authorisation to count only approvals that are proven")
            given, statement = self.proven[statement_digest]
            need(statement["decision"] == "approve", "expected the authorisation to count only approvals")
            seen = given.index < data["checkpoint"]["size"]
            need(seen, "expected the authorisation's checkpoint to hold the approvals it counts")
            need(time_ms(statement["expiresAt"]) > entry.at, "expected the authorisation before its approvals expired")
            self.counted.append(given.data)
        return f"{len(self.counted)} approvals authorised the run"

    def check_grant_counts(self, entry):
        need(self.grant is not None, "expected a break-glass grant behind the authorisation")
        grant, statement = self.grant
        only = entry.data["statements"] == [grant.data["statementDigest"]]
        need(only, "expected the authorisation to count exactly the break-glass grant")
        seen = grant.index < entry.data["checkpoint"]["size"]
        need(seen, "expected the authorisation's checkpoint to hold the break-glass grant")
        need(time_ms(statement["expiresAt"]) > entry.at, "expected the authorisation before the grant expired")
        return "BREAK-GLASS: one person alone authorised the run"

    def check_quorum(self):
        if self.authorised is None:
            return Note("nothing was authorised")
        limits, plan = self.plan["approvals"], self.plan
        need(not (self.trust.solo and plan["prod"]), "expected no prod run in an installation of one person")
        if self.authorised.data["kind"] == "break-glass":
            return Note("no quorum was asked for: break-glass")
        required = {item["role"]: item for item in limits["require"]}
        alone = self.trust.solo and "requester-cannot-approve" not in limits["separation"]
        people = [data["person"] for data in self.counted]
        need(len(set(people)) == len(people), "expected each approval by another person")
        for data in self.counted:
            need(data["role"] in required, f"expected approvals in roles the plan asks for, got {data['role']}")
            need(data["person"] in required[data["role"]]["people"], "expected approvals by people the plan names")
            high = LEVELS.index(data["level"]) >= LEVELS.index(limits["minLevel"])
            need(high, f"expected approvals at level {limits['minLevel']} or higher")
            need(data["person"] != plan["requester"] or alone, "expected no approval by the requester")
        for item in limits["require"]:
            counted = sum(data["role"] == item["role"] for data in self.counted)
            need(counted >= item["count"], f"expected {item['count']} approvals as {item['role']}, got {counted}")
        alone = plan.get("emergency") is not None and plan["prod"] and len(people) < 2
        need(not alone, "expected two people behind an emergency in prod")
        session = any(data["level"] == "session" for data in self.counted)
        holds = not (self.trust.profile == "production" and plan["prod"] and session)
        need(holds, "expected no approval at level session for prod in profile production")
        return f"{len(people)} different people meet what the plan asks for"

    def check_steps(self):
        calls, voided = {}, False
        for entry in self.entries:
            voided = voided or entry.type == "approval.voided"
            if entry.type not in ("step.intent", "step.outcome"):
                continue
            data, key = entry.data, call_key(entry.data)
            step = self.steps.get(data["step"]) if self.plan else None
            need(step is not None, f"expected {entry.what} to be of a step of the plan")
            need(step["verb"] == data["verb"], f"expected {entry.what} with the verb of its step")
            if entry.type == "step.intent":
                first = self.authorised is not None and self.authorised.index < entry.index
                need(first, f"expected an authorisation before {entry.what}")
                need(key not in calls, f"expected {entry.what} to be a new call")
                need(not (voided and data["direction"] == "do"), f"expected {entry.what} before approvals were voided")
                starts = time_ms(self.plan["timing"]["notBefore"])
                need(entry.at >= starts, f"expected {entry.what} not before the planned start")
                calls[key] = "started"
            else:
                need(key in calls, f"expected an intent before {entry.what}")
                need(calls[key] in ("started", "unknown"), f"expected {entry.what} to be the call's one final outcome")
                need(data["outcome"] != "done" or data["error"] is None, f"expected {entry.what} without an error")
                calls[key] = data["outcome"]
        return f"{len(calls)} calls were written down first and are the plan's" if calls else Note("no step was begun")

    def check_break_glass(self):
        if self.authorised is None or self.authorised.data["kind"] != "break-glass":
            return Note("nobody broke the glass")
        since = self.confirmation.index if self.confirmation else INTEGER_MAX
        for entry in self.of("step.intent"):
            if self.plan.get("emergency") is None and self.is_retiring(entry):
                need(since < entry.index, f"expected a second person's confirmation before {entry.what}")
        ends = [entry.index for entry in self.of("run.moved") if entry.data["to"] == "completed"]
        need(not ends or since < ends[-1], "expected a second person's confirmation behind a completed run")
        reviews = [entry.data["result"] for entry in self.context if entry.type == "breakglass.reviewed"]
        confirmed = "confirmed by a second person" if self.confirmation else "CONFIRMED BY NOBODY"
        reviewed = f"reviewed: {reviews[-1]}" if reviews else "REVIEWED BY NOBODY"
        return f"BREAK-GLASS: one person started the run alone; {confirmed}; {reviewed}"

    def check_left_as_is(self):
        if self.state != "left_as_is":
            return Note("the run was not left as it is")
        moves = self.of("run.moved")
        end, since = moves[-1], moves[-2].index
        confirmed = [word for word in self.closing if word[0].type == "close.confirmed" and word[0].index > since]
        need(confirmed, "expected a second person's word since the run was held")
        second = confirmed[-1]
        asked = [w for w in self.closing if w[0].type == "close.asked" and since < w[0].index < second[0].index]
        need(asked, "expected a close to be asked for since the run was held")
        first = asked[-1]
        need(first[0].data["person"] != second[0].data["person"], "expected a second person to confirm the close")
        same_list = first[0].data["remainsDigest"] == second[0].data["remainsDigest"]
        need(same_list, "expected both to sign the same list of what remains")
        for entry, statement in (first, second):
            need(time_ms(statement["expiresAt"]) > end.at, f"expected {entry.what} to be unexpired at the end")
        for entry in self.of("step.intent", "step.outcome"):
            begun = entry.type == "step.intent" or entry.data["outcome"] != "unknown"
            between = first[0].index < entry.index < end.index
            need(not (between and begun), f"expected no {entry.what} after the close was asked for")
        return "LEFT AS IT IS: asked by one person, confirmed by a second one of security"

    def is_left_behind(self, step):
        emergency = self.plan.get("emergency")
        return emergency is not None and step in emergency["leaveBehind"]

    def walk(self):
        """(intent, standing just before it) for each intent; leaves the standing at the end in `self.end`."""
        self.end = Standing()
        for entry in self.entries:
            if entry.type == "step.intent":
                yield entry, self.end
            self.end.feed(entry)

    def check_step_order(self):
        states = {"execute": "executing", "overlap": "overlapping", "retire": "retiring", "restore": "retiring"}
        elsewhere = {
            "undo": ("rolling_back",),
            "discard": ("executing", "overlapping", "retiring", "rolling_back", "held"),
        }
        waits, intents = self.waits() if self.plan else {}, 0
        for entry, standing in self.walk():
            intents += 1
            data = entry.data
            allowed = elsewhere.get(data["direction"]) or (states[self.steps[data["step"]]["phase"]],)
            if data["direction"] == "do" and self.is_left_behind(data["step"]):
                allowed = ("executing", "retiring")
            need(entry.state_before in allowed, f"expected {entry.what} in {' or '.join(allowed)}")
            if data["direction"] == "do":
                for other in waits[data["step"]]:
                    tried = self.is_left_behind(other) and standing.stands(other) not in ("not begun", "started")
                    need(standing.done(other) or tried, f"expected step {other} done before {entry.what}")
        return "every step came in the plan's order" if intents else Note("no step was begun")

    def check_confirmations(self):
        steps = self.plan["steps"] if self.plan else []
        by_hand = [step["id"] for step in steps if step["verb"].startswith("manual.ask@")]
        owners = self.plan["baseline"]["owners"] if self.plan else []
        states = {"do": ("executing", "overlapping", "held"), "undo": ("rolling_back", "held")}
        emergency = self.plan is not None and self.plan.get("emergency") is not None
        if emergency:
            states["do"] += ("retiring",)
        asked, standing, words = set(), set(), 0
        for entry in self.entries:
            data = entry.data
            if entry.type == "step.intent" and data["direction"] == "do":
                asked.add(data["step"])
                if self.is_retiring(entry) and not emergency:
                    for step in by_hand:
                        need(("do", step) in standing, f"expected an owner's word on {step} before {entry.what}")
            elif entry.type == "run.moved" and data["to"] == "completed" and emergency:
                for step in by_hand:
                    need(("do", step) in standing, f"expected an owner's word on {step} before {entry.what}")
            elif entry.type == "step.outcome" and data["direction"] == "undo" and data["step"] in by_hand:
                put_back = data["outcome"] != "done" or ("undo", data["step"]) in standing
                need(put_back, f"expected an owner's word that {data['step']} was put back before {entry.what}")
            elif entry.type == "step.confirmed":
                words += 1
                word = (data["direction"], data["step"])
                need(data["step"] in by_hand and data["step"] in asked, f"expected {entry.what} about a step asked of a person")
                need(data["person"] in owners, f"expected {entry.what} to be an owner's word")
                allowed = states[data["direction"]]
                need(entry.state_before in allowed, f"expected {entry.what} in {' or '.join(allowed)}")
                taken_back = data["confirmation"] == "withdrawn"
                need((word in standing) == taken_back, f"expected {entry.what} to say another word than the one that stands")
                (standing.discard if taken_back else standing.add)(word)
        return f"owners confirmed what was done by hand, {words} words" if by_hand else Note("nothing was to be done by hand")

    def waits(self):
        """Step -> the steps that must be done before it."""
        waits, rank = {}, {phase: place for place, phase in enumerate(PHASES)}
        for place, step in enumerate(self.plan["steps"]):
            phase = step["phase"]
            waits[step["id"]] = [
                other["id"]
                for at, other in enumerate(self.plan["steps"])
                if rank[other["phase"]] < rank[phase]
                or (other["phase"] == phase and phase in ("execute", "retire") and at < place)
            ]
        return waits

    def is_retiring(self, entry):
        return entry.data["direction"] == "do" and self.steps[entry.data["step"]]["phase"] == "retire"

    def check_overlap(self):
        start, retiring = None, 0
        for entry in self.entries:
            if entry.type == "run.moved" and entry.data["to"] == "executing":
                start = None
            elif entry.type == "run.moved" and entry.data["to"] == "overlapping":
                start = entry.at if start is None else start
            elif entry.type == "step.intent" and self.is_retiring(entry):
                retiring += 1
                need(start is not None, f"expected an overlap before {entry.what}")
                least = self.plan["timing"]["overlapSeconds"]
                need(entry.at - start >= least * 1000, f"expected {entry.what} at least {least} s after the overlap began")
        return "nothing was retired before the overlap had passed" if retiring else Note("nothing was retired")

    def check_retire_gate(self):
        gate, retiring, standing = None, 0, Standing()
        overlap = [step["id"] for step in self.plan["steps"] if step["phase"] == "overlap"] if self.plan else []
        for entry in self.entries:
            if entry.type == "gate.checked":
                gate = entry.data
            elif entry.type == "step.intent" and self.is_retiring(entry):
                retiring += 1
                self.check_gate(entry, gate, overlap, standing)
            standing.feed(entry)
        if retiring and self.plan.get("emergency") is not None:
            return "an emergency: its authorisation was the forced retirement, no gate was asked"
        return "nothing was retired but through an open gate" if retiring else Note("nothing was retired")

    def check_gate(self, entry, gate, overlap, standing):
        if self.plan.get("emergency") is not None:
            return
        retire = self.plan["retire"]
        need(gate is not None and gate["open"], f"expected the gate open before {entry.what}")
        high = GRADES.index(gate["grade"]) >= GRADES.index(retire["minGrade"])
        need(high, f"expected the gate at grade {retire['minGrade']} or higher before {entry.what}")
        need(self.plan["old"]["binding"] != "unproven", "expected the old credential shown to be the stored one")
        for step in overlap:
            level = standing.confirmed.get(step)
            wanted = retire["consumerLevel"]
            if self.plan["old"]["binding"] == "named" and step == HOLDER:
                wanted = "accepted" if self.steps[step]["params"].get("callers") == [] else "used"
            high = level is not None and VERIFIED.index(level) >= VERIFIED.index(wanted)
            need(high, f"expected step {step} verified as {wanted} or higher before {entry.what}")

    def check_removed_credential(self):
        if self.plan is None:
            return Note("there is no plan")
        target, old = self.plan["target"], self.plan["old"]["id"]
        key = REMOVED_KEY[target["kind"]]
        removable = (self.plan.get("emergency") or {"revoke": [old]})["revoke"]
        for step in self.plan["steps"]:
            named = step["phase"] == "retire" and key in step["params"]
            holds = not named or any(same(step["params"][key], one) for one in removable)
            need(holds, f"expected step {step['id']} to name the old credential")
        finished, named_once, retiring, looked = False, False, 0, 0
        for call in self.end.calls.values():
            entry = call.entry
            places = [entry.data["target"], entry.data["facts"]] + [o.data["objectIds"] for o in call.outcomes]
            named = [place[key] for place in places if key in place]
            if entry.data["direction"] == "discard":
                looked += 1
                for value in named:
                    inside = value if isinstance(value, (list, dict)) else [value]
                    hit = any(same(item, one) for item in inside for one in removable)
                    need(not hit, f"expected {entry.what} not to discard the old credential")
            if not self.is_retiring(entry):
                continue
            retiring += 1
            planned = self.steps[entry.data["step"]]["params"].get(key, old)
            need(all(same(value, planned) for value in named), f"expected {entry.what} to remove the old credential only")
            for place in PLACE_KEYS[target["kind"]]:
                there = entry.data["target"]
                holds = place not in there or same(there[place], target[place])
                need(holds, f"expected {entry.what} at the plan's {place}")
            if call.last == "done":
                finished, named_once = True, named_once or bool(named)
        need(named_once or not finished, "expected what was removed to be named")
        if retiring:
            return "what was retired is the credential the plan names"
        return "nothing else than what the run made was discarded" if looked else Note("nothing was retired")

    def check_result(self):
        end = self.end
        if self.state == "rejected":
            # The entry counts, also where its statement was erased: a rejection lets nothing happen.
            no = any(entry.data["decision"] == "reject" for entry in self.of("approval.given"))
            need(no, "expected a rejected run to hold a rejection")
        elif self.state == "completed":
            need(self.plan is not None, "expected a completed run to have a plan")
            for step in self.steps:
                need(end.done(step), f"expected step {step} done in a completed run")
        elif self.state == "rolled_back":
            need(self.plan is not None, "expected a rolled back run to have a plan")
            for step in self.plan["steps"]:
                stays = not step["undoable"] and step["phase"] != "retire"
                left = end.stands(step["id"]) in ("started", "done", "unknown") and not end.taken_back(step["id"])
                need(stays or not left, f"expected step {step['id']} taken back in a run that was rolled back")
        else:
            return Note(f"a run that is {self.state} claims nothing more")
        return f"the entries bear out that the run is {self.state}"

    def check_run_record(self):
        data = self.file("run.dsse.json")
        payload = open_envelope(data, "application/vnd.in-toto+json", self.trust.run_keys, "run.dsse.json")
        value = from_canonical(payload, "the payload of run.dsse.json")
        predicate = value.get("predicate") if isinstance(value, dict) else None
        build = predicate.get("build") if isinstance(predicate, dict) else None
        fit(an_id, build, "build in run.dsse.json")
        need(to_canonical(self.summary(build)) == payload, "expected run.dsse.json to sum up these entries")
        return "the summary is signed by a run key and is that of these entries"

    def summary(self, build):
        request, frozen = self.entries[0].data, self.frozen[0].data if self.frozen else None
        named, major = frozen["procedure"].split("@") if frozen else (None, None)
        outcome_keys = ("direction", "objectIds", "outcome", "step", "verb")
        subject = [{"digest": {"sha256": self.entries[-1].leaf.hex()}, "name": self.run}]
        if frozen:
            subject.append({"digest": {"sha256": frozen["planDigest"][7:]}, "name": "plan.json"})
        return {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": {
                "approvals": [
                    {key: entry.data[key] for key in ("level", "role", "statementDigest")}
                    for entry in self.of("approval.given")
                    if entry.data["decision"] == "approve"
                ],
                "build": build,
                "log": {
                    "origin": self.trust.origin, "root": self.log.root_text, "runEntries": len(self.entries),
                    "size": self.log.size,
                },
                "policy": self.policy,
                "procedure": {"digest": frozen["procedureDigest"], "major": int(major), "name": named} if frozen else None,
                "requester": request["requester"],
                "result": self.state if self.closed else "open",
                "runId": self.run,
                "steps": [{key: entry.data[key] for key in outcome_keys} for entry in self.of("step.outcome")],
            },
            "predicateType": "https://countersign.dev/rotation-run/v1",
            "subject": subject,
        }

    def check_readme(self):
        words = "" if self.closed else OPEN_WORDS
        expected = README.format(
            run=self.run, state=self.state, open=words, origin=self.trust.origin, size=self.log.size
        )
        need(self.file("README.txt") == expected.encode("utf-8"), "expected README.txt to be the fixed text")
        return "README.txt is the fixed text"


CHECKS = (
    "files", "checkpoint", "entries", "inclusion", "run-chain", "genesis", "time-order", "state-moves", "policy",
    "inventory", "plan", "approvals", "attachments", "context", "anchors", "file-set", "authorisation", "quorum",
    "steps", "break-glass", "left-as-is", "step-order", "confirmations", "overlap", "retire-gate", "removed-credential", "result", "run-record", "readme",
)


# ---- The bundle of a period (12)

POPULATION_README = """\
Evidence of all credential changes and runs of a period
=======================================================

From:   {start}
Before: {end}
Log:    {origin}, {size} entries

What this is
  population.json  the list: every change of a credential that the directories' own logs
                   tell of, every run that was asked for, what was not read, the sample
  range/           every entry of the log from before the period up to the export
  log/ context/    the signed state of the log, and the proof that range/ is the rest of it

How to check it
  countersign verify <this folder> --trust trust.json
  Get trust.json from someone you trust, never from whoever gave you this folder.
  The format is described in docs/evidence-format.md, well enough to write your own check.

What it cannot show
  What a directory did not log or was not asked for (gaps say where); tenants that are not
  configured; and, against an operator who holds the log's keys, a log that was made anew.
"""
DAY_MS = 86_400_000
ROWS_MAX = 100_000
PERIOD_DAYS_MAX = 4_000
RANGE_MARGIN_MS = 600_000
WHY = ("not-read", "lost", "not-settled", "ahead")
VERDICTS = ("ours", "break-glass", "out-of-band", "unknown")
CHANGE = {
    "act": one_of("added", "removed", "unreadable"), "actor": or_null(an_id),
    "actorKind": one_of("person", "application", "unnamed"), "at": time, "attempt": or_null(count), "because": code,
    "credential": or_null(an_id), "direction": or_null(direction), "entry": an_id,
    "explained": or_null(keys({"at": time, "person": person_id})), "holder": one_of("application", "service-principal"),
    "kind": one_of("client-secret", "certificate", "other"), "objectId": an_id, "readAt": time, "readIn": count,
    "run": or_null(run_id), "step": or_null(step_id), "tenant": an_id, "verdict": one_of(*VERDICTS),
}
CHANGES = list_of(keys(CHANGE), 0, ROWS_MAX)
PLACES = list_of(count, 0, 10_000)
POPULATION = keys({
    "_type": one_of("countersign/population/v1"), "at": time, "build": an_id, "changes": CHANGES,
    "counts": keys({
        "breakGlass": count, "changes": count, "explained": count, "ours": count, "outOfBand": count, "runs": count,
        "unknown": count,
    }),
    "from": time, "gaps": list_of(keys({"from": time, "tenant": an_id, "to": time, "why": one_of(*WHY)}), 0, 10_000),
    "log": keys({"origin": origin, "size": whole, "start": count}), "others": CHANGES,
    "runs": list_of(keys({
        "at": time, "closed": boolean, "procedure": procedure, "requester": actor, "run": run_id, "state": state,
        "target": ids_map, "trigger": text(r"[a-z]{1,20}"),
    }), 0, ROWS_MAX),
    "sample": or_null(keys({"changes": PLACES, "runs": PLACES, "seed": seed, "size": integer(1, 10_000)})),
    "tenants": list_of(keys({
        "daysWithout": list_of(text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), 0, PERIOD_DAYS_MAX + 1), "keptMs": count, "late": count,
        "lateMs": count, "name": an_id, "queries": list_of(query, 0, 100, itself), "reads": count, "slowestMs": count,
        "unreadable": count,
    }), 0, 1_000),
    "to": time,
})


def time_text(ms):
    """The time that time_ms reads as these milliseconds."""
    days, rest = divmod(ms, DAY_MS)
    seconds, ms = divmod(rest, 1_000)
    day = datetime.date.fromordinal(days - 365).isoformat()
    return f"{day}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}Z"


def uncovered(begin, end, others):
    """Parts of a span that none of the others covers, oldest first."""
    left, at = [], begin
    for other_begin, other_end in sorted(others):
        if other_begin > end:
            break
        if other_begin > at:
            left.append((at, other_begin))
        at = max(at, other_end)
    return left + [(at, end)] if at < end else left


def gaps_of(begin, end, read, now, late, kept):
    settled = [(a, b - late) for a, b in read if a < b - late]
    gaps = []
    for hole in uncovered(begin, min(end, now), settled):
        unread = uncovered(*hole, read)
        gaps += [(a, b, "not-settled") for a, b in uncovered(*hole, unread)]
        for a, b in unread:
            if a < now - kept:
                gaps.append((a, min(b, now - kept), "lost"))
            if b > now - kept:
                gaps.append((max(a, now - kept), b, "not-read"))
    if end > now:
        gaps.append((max(now, begin), end, "ahead"))
    return sorted(gaps, key=lambda gap: gap[0])


def change_id(row):
    return (row["tenant"], row["entry"], row["credential"] or "", row["act"])


def drawn(seed_text, size, items):
    """Positions of the items with the lowest tickets, ascending."""
    head = b"countersign/sample/v1\n" + seed_text.encode("ascii") + b"\n"
    tickets = sorted((sha256(head + to_canonical(item)), place) for place, item in enumerate(items))
    return sorted(place for _, place in tickets[:size])


class PopulationVerifier:
    """The checks over the bundle of a period."""

    run, state = None, None

    def __init__(self, files, trust):
        self.files, self.trust = files, trust

    file = Verifier.file
    check_files = Verifier.check_files
    check_checkpoint = Verifier.check_checkpoint

    def check_genesis(self):
        data = self.file("context/0000.json")
        index, proof = read_proof(self.file("context/0000.tlog-proof"), self.files["log/checkpoint"], "context/0000.tlog-proof")
        entry = Entry(data, index, "context/0000.json")
        holds = included(entry.leaf, index, self.log.size, proof, self.log.root)
        need(holds, "expected context/0000.json to stand in the log")
        self.context = [entry]
        return Verifier.check_genesis(self)

    def check_population(self):
        data = self.file("population.json")
        need(len(data) <= 16 * MIB, "expected population.json of at most 16 MiB")
        self.list = fit(POPULATION, from_canonical(data, "population.json"), "population.json")
        self.begin, self.end = time_ms(self.list["from"]), time_ms(self.list["to"])
        need(0 < self.end - self.begin <= PERIOD_DAYS_MAX * DAY_MS, "expected a period of 1 ms to 4,000 days")
        need(self.list["log"]["origin"] == self.trust.origin, "expected a list made from this log")
        return "population.json has its form"

    def check_range(self):
        start, size = self.list["log"]["start"], self.list["log"]["size"]
        need(start < size < self.log.size, "expected a log that is longer than what the list was made from")
        lines = self.file("log/frontier").decode("latin-1").split("\n")
        need(lines.pop() == "", "expected each line of log/frontier to end in a newline")
        stack = [hash_line(line, "log/frontier") for line in lines]
        need(len(stack) == bin(start).count("1"), "expected as many hashes in log/frontier as its size has ones")
        self.entries, place = [], 0
        while f"range/{place:04d}" in self.files and place < 9_999:
            what = f"range/{place:04d}"
            self.read_frames(self.files[what], what, start, stack)
            place += 1
        need(start + len(self.entries) == self.log.size, "expected entries up to the size of the log")
        total = stack.pop()
        while stack:
            total = node(stack.pop(), total)
        need(total == self.log.root, "expected the root of the log from its entries")
        early = self.entries[0].at <= self.begin - RANGE_MARGIN_MS
        need(start == 0 or early, "expected the range to begin 600 s before the period or with the log")
        return f"entries {start} to {self.log.size - 1} are the rest of the log"

    def read_frames(self, data, what, start, stack):
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            need(at + 2 + length <= len(data), f"expected {what} to end with a whole entry")
            index = start + len(self.entries)
            need(index < self.log.size, "expected entries up to the size of the log, got more")
            entry = Entry(data[at + 2 : at + 2 + length], index, f"entry {index}")
            self.entries.append(entry)
            leaf = entry.leaf
            while index & 1:
                leaf, index = node(stack.pop(), leaf), index >> 1
            stack.append(leaf)
            at += 2 + length

    def known(self, entry_type):
        size = self.list["log"]["size"]
        return [entry for entry in self.entries if entry.type == entry_type and entry.index < size]

    def check_exported(self):
        listed, size = self.list, self.list["log"]["size"]
        wanted = digest_of(self.file("population.json"))
        found = [e for e in self.entries if e.type == "population.exported" and e.data["digest"] == wanted]
        need(found, "expected the log to hold the export of population.json")
        export = found[0]
        need(export.index >= size, "expected the export after what the list was made from")
        sample = listed["sample"]
        says = {
            "changes": listed["counts"]["changes"], "digest": wanted, "from": listed["from"], "gaps": len(listed["gaps"]),
            "runs": listed["counts"]["runs"], "to": listed["to"],
            "sample": None if sample is None else {"seed": sample["seed"], "size": sample["size"]},
        }
        holds = {key: value for key, value in export.data.items() if key != "by"}
        need(to_canonical(says) == to_canonical(holds), "expected the export to say what the list holds")
        self.at = time_ms(listed["at"])
        need(export.at == self.at, "expected the list to be as old as its export")
        for entry in self.entries:
            between = size <= entry.index < export.index
            need(not between or entry.at >= self.at - SKEW_MS, f"expected the list to be made from {entry.what} too")
        return "the log says that this list was given to somebody"

    def check_runs(self):
        moved = {entry.run: entry.data["to"] for entry in self.known("run.moved")}
        closed = {entry.run for entry in self.known("run.closed")}
        runs = [{
            "at": time_text(entry.at), "closed": entry.run in closed, "procedure": entry.data["procedure"],
            "requester": entry.data["requester"], "run": entry.run, "state": moved.get(entry.run, "requested"),
            "target": entry.data["target"], "trigger": entry.data["trigger"],
        } for entry in self.known("run.requested") if self.begin <= entry.at < self.end]
        need(to_canonical(runs) == to_canonical(self.list["runs"]), "expected the runs to be those that the log holds")
        return f"all {len(runs)} runs that were asked for are in the list"

    def check_changes(self):
        changes, others = self.list["changes"], self.list["others"]
        rows = changes + others
        need(len({change_id(row) for row in rows}) == len(rows), "expected each change once")
        reads = {entry.index: entry.data for entry in self.known("audit.read")}
        found = {index: dict.fromkeys(VERDICTS, 0) for index in reads}
        for row in rows:
            read = reads.get(row["readIn"])
            need(read is not None and read["tenant"] == row["tenant"], "expected each change to be counted by a look at its tenant")
            found[row["readIn"]][row["verdict"]] += 1
        for index, read in reads.items():
            counts = found[index]
            need(sum(counts.values()) == read["new"], f"expected the {read['new']} changes that entry {index} has counted")
            for verdict, key in (("ours", "ours"), ("break-glass", "breakGlass"), ("out-of-band", "outOfBand")):
                need(counts[verdict] >= read[key], f"expected {read[key]} changes of entry {index} to be {verdict}")
        begun = {entry.run for entry in self.known("run.requested")}
        intents = {(e.run, e.data["step"], e.data["direction"], e.data["attempt"]) for e in self.known("step.intent")}
        for row in rows:
            attempt = (row["run"], row["step"], row["direction"], row["attempt"])
            need(row["run"] not in begun or attempt in intents, f"expected an intent for what {row['entry']} tells of")
        said = {change_id(e.data): {"at": time_text(e.at), "person": e.data["person"]} for e in self.known("audit.explained")}
        for row in rows:
            fits = to_canonical(row["explained"]) == to_canonical(said.get(change_id(row)))
            need(fits, "expected each change to be explained as the log says")
        for part, inside in ((changes, True), (others, False)):
            places = [(row["at"], *change_id(row)) for row in part]
            need(places == sorted(places), "expected the changes in their order")
            fits = all((self.begin <= time_ms(row["at"]) < self.end) == inside for row in part)
            need(fits, "expected the changes of the period in their list and the others in theirs")
        verdicts = {verdict: sum(row["verdict"] == verdict for row in changes) for verdict in VERDICTS}
        counts = {
            "breakGlass": verdicts["break-glass"], "changes": len(changes), "ours": verdicts["ours"],
            "explained": sum(row["explained"] is not None for row in changes), "outOfBand": verdicts["out-of-band"],
            "runs": len(self.list["runs"]), "unknown": verdicts["unknown"],
        }
        need(to_canonical(counts) == to_canonical(self.list["counts"]), "expected the counts to be those of the list")
        return f"all {len(changes)} changes that the log has counted are in the list"

    def check_gaps(self):
        names = [tenant["name"] for tenant in self.list["tenants"]]
        need(len(set(names)) == len(names), "expected each tenant once")
        reads = self.known("audit.read")
        need(all(entry.data["tenant"] in names for entry in reads), "expected every tenant whose log was read in the list")
        gaps = []
        for tenant in self.list["tenants"]:
            own = [entry for entry in reads if entry.data["tenant"] == tenant["name"]]
            need(to_canonical(self.tenant(tenant, own)) == to_canonical(tenant), "expected what is said of a tenant to hold")
            spans = [(time_ms(entry.data["from"]), time_ms(entry.data["to"])) for entry in own]
            gaps += [
                {"from": time_text(a), "tenant": tenant["name"], "to": time_text(b), "why": why}
                for a, b, why in gaps_of(self.begin, self.end, spans, self.at, tenant["lateMs"], tenant["keptMs"])
            ]
        need(to_canonical(gaps) == to_canonical(self.list["gaps"]), "expected the gaps to be what no look covers")
        return f"{len(gaps)} gap(s) are all there are"

    def tenant(self, tenant, own):
        touching = [
            entry.data for entry in own
            if time_ms(entry.data["from"]) < self.end and time_ms(entry.data["to"]) >= self.begin
        ]
        waits = [
            time_ms(row["readAt"]) - time_ms(row["at"])
            for row in self.list["changes"] if row["tenant"] == tenant["name"]
        ]
        looked = {entry.at // DAY_MS for entry in own}
        end = min(self.end, self.at)
        days = range(self.begin // DAY_MS, -(-end // DAY_MS)) if self.begin < end else ()
        return {
            "daysWithout": [time_text(day * DAY_MS)[:10] for day in days if day not in looked],
            "keptMs": tenant["keptMs"], "late": sum(wait > tenant["lateMs"] for wait in waits), "lateMs": tenant["lateMs"],
            "name": tenant["name"], "queries": sorted({read["query"] for read in touching}), "reads": len(touching),
            "slowestMs": max([0, *waits]), "unreadable": sum(read["unreadable"] for read in touching),
        }

    def check_sample(self):
        sample = self.list["sample"]
        if sample is None:
            return Note("no sample was drawn")
        changes = [[row["tenant"], row["entry"], row["credential"], row["act"]] for row in self.list["changes"]]
        fits = sample["changes"] == drawn(sample["seed"], sample["size"], changes)
        runs = drawn(sample["seed"], sample["size"], [[row["run"]] for row in self.list["runs"]])
        need(fits and sample["runs"] == runs, "expected the sample to be what the seed draws")
        return "the sample is what the seed draws"

    def check_file_set(self):
        wanted = {
            "README.txt", "SHA256SUMS", "population.json", "log/checkpoint", "log/frontier", "context/0000.json",
            "context/0000.tlog-proof",
        }
        place = 0
        while f"range/{place:04d}" in self.files:
            wanted.add(f"range/{place:04d}")
            place += 1
        need(set(self.files) == wanted, "expected the files of a bundle of a period and no others")
        return "the bundle has the files it needs and no others"

    def check_readme(self):
        expected = POPULATION_README.format(
            start=self.list["from"], end=self.list["to"], origin=self.trust.origin, size=self.log.size
        )
        need(self.file("README.txt") == expected.encode("utf-8"), "expected README.txt to be the fixed text")
        return "README.txt is the fixed text"


POPULATION_CHECKS = (
    "files", "checkpoint", "genesis", "population", "range", "exported", "runs", "changes", "gaps", "sample", "file-set", "readme",
)


def refusal(error):
    # What is not a plain refusal is an error of ours or of the machine; on hostile bytes both must end in a refusal.
    return str(error) if isinstance(error, Refused) else f"cannot be checked ({type(error).__name__})"


def verify(path, trust):
    """The report on a bundle, against a trust file that was read."""
    report = {"verdict": "refused", "run": None, "state": None, "checks": []}
    current = CHECKS[0]
    try:
        files = read_bundle(path)
        of_period = "population.json" in files
        verifier = (PopulationVerifier if of_period else Verifier)(files, trust)
        for current in POPULATION_CHECKS if of_period else CHECKS:
            sentence = getattr(verifier, f"check_{current.replace('-', '_')}")()
            result = "note" if isinstance(sentence, Note) else "pass"
            report["checks"].append({"code": current, "result": result, "sentence": str(sentence)})
    except Exception as error:  # pylint: disable=broad-except
        report["checks"].append({"code": current, "result": "fail", "sentence": refusal(error)})
        return report
    report.update(verdict="proven", run=verifier.run, state=verifier.state)
    return report


def printable(sentence):
    """Printable ASCII: what a hostile bundle holds must not reach the terminal."""
    return "".join(c if " " <= c <= "~" else "?" for c in sentence)


def render(report):
    lines = [f"{check['result']:4}  {check['code']:18}  {printable(check['sentence'])}" for check in report["checks"]]
    if report["verdict"] == "proven":
        what = "a period" if report["run"] is None else f"{report['run']}, {report['state']}"
        lines.append(f"PROVEN: {what}")
    elif report["verdict"] == "refused":
        lines.append("REFUSED: rely on nothing in this bundle")
    else:
        lines.append(f"NOT CHECKED: {printable(report.get('why', ''))}")
    return "\n".join(lines)


def main(arguments):
    parser = argparse.ArgumentParser(description="Verifies the evidence bundle of one Countersign run or of a period.")
    parser.add_argument("bundle", help="a folder, or a zip of it")
    parser.add_argument("--trust", metavar="FILE", help="trust.json, from someone you trust")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if not os.access(options.bundle, os.R_OK):
        parser.error(f"expected a readable bundle, got {printable(options.bundle)}")
    why = ""
    try:
        if options.trust is None:
            raise TrustError("there is no trust file")
        report = verify(options.bundle, read_trust(options.trust))
    except TrustError as error:
        report, why = {"verdict": "no-trust", "run": None, "state": None, "checks": []}, str(error)
    print(json.dumps(report) if options.json else render({**report, "why": why}))
    return {"proven": 0, "refused": 1, "no-trust": 3}[report["verdict"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
