"""What is done with a stream in one step at the server."""

from __future__ import annotations

from ._scripts import Script

PUBLISH = Script("""
-- KEYS: the stream, then keys that say which messages were published. ARGV: how long the stream may get (0: no limit),
-- how long to remember messages, the index of a key of the batch (0: none), how long to remember that, then for each
-- message the index of its key (0: none), data and attributes.
if ARGV[3] ~= '0' and not redis.call('SET', KEYS[tonumber(ARGV[3]) + 1], '1', 'NX', 'PX', ARGV[4]) then return 0 end
local published = 0
for i = 5, #ARGV, 3 do
    local key = KEYS[tonumber(ARGV[i]) + 1]
    if ARGV[i] == '0' or redis.call('SET', key, '1', 'NX', 'PX', ARGV[2]) then
        if ARGV[1] == '0' then
            redis.call('XADD', KEYS[1], '*', 'data', ARGV[i + 1], 'attributes', ARGV[i + 2])
        else
            redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'data', ARGV[i + 1], 'attributes', ARGV[i + 2])
        end
        published = published + 1
    end
end
return published
""")
"""Publish messages that were not published before. Run again after a lost answer, it publishes none of them twice."""

KEEP = Script("""
-- KEYS: the stream. ARGV: group, consumer, ids. Claims what the consumer still has once more, so that it is not idle.
local kept = 0
for i = 3, #ARGV do
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
    if #pending > 0 then
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
        kept = kept + 1
    end
end
return kept
""")
"""Say that messages are being worked on, so that nobody else takes them over."""

HAND_BACK = Script("""
-- KEYS: the stream. ARGV: group, consumer, idle milliseconds, ids. Nobody has looked at these messages.
for i = 4, #ARGV do
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
    if #pending > 0 then
        local times = math.max(0, pending[1][4] - 1)
        redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', times, 'JUSTID')
    end
end
return 1
""")
"""Let others take messages over at once that this consumer has fetched and will not handle."""

FAILED = Script("""
-- KEYS: the stream, its dead letters. ARGV: group, consumer, id, retries, most dead letters, reason, data, attributes,
-- whether to look at the count at all.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
if #pending == 0 then return 0 end
local times = pending[1][4]
if times <= tonumber(ARGV[4]) then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'data', ARGV[7], 'attributes', ARGV[8], 'reason', ARGV[6],
    'group', ARGV[1], 'consumer', ARGV[2], 'message_id', ARGV[3], 'deliveries', times)
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""Move a message to the dead letters, with the reason, if it was delivered more often than `retries`; else leave it."""

LEAVE = Script("""
-- KEYS: the stream. ARGV: group, consumer. A consumer with pending messages stays, or they would be forgotten.
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local name, pending
    for i = 1, #info, 2 do
        if info[i] == 'name' then name = info[i + 1] elseif info[i] == 'pending' then pending = info[i + 1] end
    end
    if name == ARGV[2] and pending == 0 then
        return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    end
end
return 0
""")
"""Remove a consumer that has nothing pending."""

MAINTAIN = Script("""
-- KEYS: the stream, when groups were last heard of. ARGV: milliseconds after which a consumer counts as gone, prefix
-- of groups that may go, too, the caller's group. Before version 7.2, a server does not note reads that find nothing.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[1]))
redis.call('ZADD', KEYS[2], now, ARGV[3])
local function fields(flat)
    local found = {}
    for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
    return found
end
local function parts(id)
    local dash = string.find(id, '-', 1, true)
    return tonumber(string.sub(id, 1, dash - 1)), tonumber(string.sub(id, dash + 1))
end
local function is_before(a, b)
    local a1, a2 = parts(a)
    local b1, b2 = parts(b)
    return a1 < b1 or (a1 == b1 and a2 < b2)
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local lowest
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = fields(flat)
    local is_live = redis.call('ZSCORE', KEYS[2], group['name']) and true or false
    for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group['name'])) do
        local consumer = fields(each)
        if consumer['idle'] < tonumber(ARGV[1]) then
            is_live = true
        elseif consumer['pending'] == 0 then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group['name'], consumer['name'])
        end
    end
    if is_live then
        local bound = group['last-delivered-id']
        if group['pending'] > 0 then bound = redis.call('XPENDING', KEYS[1], group['name'])[2] end
        if not lowest or is_before(bound, lowest) then lowest = bound end
    elseif string.sub(group['name'], 1, #ARGV[2]) == ARGV[2] then
        redis.call('XGROUP', 'DESTROY', KEYS[1], group['name'])
    end
end
if not lowest then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', lowest)
""")
"""Trim what every live group has handled, and remove consumers that are gone; groups without a live consumer do not
hold the stream up."""
