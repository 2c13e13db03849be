"""The queue of cleanup messages, each change of it one step at the server.

Keys, all below one prefix: `message:ID` is a hash of what a message is and where it stands (`state` is `ready`,
`reserved`, `dead` or `acked`); `ready:POOL` has messages to hand out, by age; `leases:POOL` those that are reserved, by
when that ends; `idempotency:POOL` the ids by the producers' keys; `acked` those that are done, by when; `wake:POOL` the
sequence of wakeups, and `wakes:POOL` a stream of the latest one, to wait on; `pools` all pools.
"""

from __future__ import annotations

from ._scripts import SERVER_TIME, Script

_COMMON = (
    SERVER_TIME
    + """
local P = ARGV[1]
local now = server_time()
local function wake(pool)
    local sequence = redis.call('INCR', P .. 'wake:' .. pool)
    redis.call('XADD', P .. 'wakes:' .. pool, 'MAXLEN', 1, sequence .. '-1', 's', sequence)
    return sequence
end
local function message(id)
    local flat, found = redis.call('HGETALL', P .. 'message:' .. id), {}
    for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
    return found
end
local function flat(id)
    return redis.call('HGETALL', P .. 'message:' .. id)
end
local function make_ready(id, pool, created)
    redis.call('ZREM', P .. 'leases:' .. pool, id)
    redis.call('ZADD', P .. 'ready:' .. pool, created, id)
    redis.call('HSET', P .. 'message:' .. id, 'state', 'ready', 'updated', now)
    redis.call('HDEL', P .. 'message:' .. id, 'token', 'lease')
end
local function bury(id, pool, release_reason)
    redis.call('ZREM', P .. 'leases:' .. pool, id)
    redis.call('ZREM', P .. 'ready:' .. pool, id)
    redis.call('HSET', P .. 'message:' .. id, 'state', 'dead', 'moved', now, 'release_reason', release_reason)
end
local function expire(limit, pool, attempts)
    local redelivered, dead = {}, {}
    local due = redis.call('ZRANGEBYSCORE', P .. 'leases:' .. pool, '-inf', now, 'LIMIT', 0, limit)
    for _, id in ipairs(due) do
        local m = message(id)
        if tonumber(m['deliveries']) >= attempts then
            bury(id, pool, '')
            dead[#dead + 1] = flat(id)
        else
            make_ready(id, pool, m['created'])
            redelivered[#redelivered + 1] = flat(id)
        end
    end
    if #redelivered > 0 then wake(pool) end
    return redelivered, dead
end
"""
)

ENQUEUE = Script(
    _COMMON
    + """
-- ARGV: prefix, pool, id, idempotency key, queue, kind, payload, milliseconds to remember what is done (-1: for ever)
local pool, id, key = ARGV[2], ARGV[3], ARGV[4]
if tonumber(ARGV[8]) >= 0 then
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', P .. 'acked', '-inf', now - ARGV[8], 'LIMIT', 0, 1000)) do
        local m = message(old)
        redis.call('HDEL', P .. 'idempotency:' .. m['pool'], m['key'])
        redis.call('DEL', P .. 'message:' .. old)
        redis.call('ZREM', P .. 'acked', old)
    end
end
redis.call('SADD', P .. 'pools', pool)
local m = message(id)
if not m['state'] then
    local other = redis.call('HGET', P .. 'idempotency:' .. pool, key)
    if other then
        id = other
        m = message(id)
    end
elseif m['key'] ~= key or m['pool'] ~= pool then
    return {'conflict'}
end
if m['state'] then
    if m['state'] == 'ready' then wake(pool) end
    return {'duplicate', flat(id)}
end
redis.call('HSET', P .. 'message:' .. id, 'state', 'ready', 'id', id, 'key', key, 'pool', pool, 'queue', ARGV[5],
    'kind', ARGV[6], 'payload', ARGV[7], 'created', now, 'updated', now, 'deliveries', 0)
redis.call('HSET', P .. 'idempotency:' .. pool, key, id)
redis.call('ZADD', P .. 'ready:' .. pool, now, id)
wake(pool)
return {'accepted', flat(id)}
"""
)

RESERVE = Script(
    _COMMON
    + """
-- ARGV: prefix, pool, token, lease milliseconds, attempts, how many leases to expire, whether other queues will do,
-- number of kinds (-1: all), kinds, number of queues (-1: all), queues
local pool, attempts = ARGV[2], tonumber(ARGV[5])
local mine = redis.call('GET', P .. 'reservation:' .. ARGV[3])
if mine then return {{}, {}, flat(mine)} end -- asked again, since the answer was lost
local redelivered, dead = expire(tonumber(ARGV[6]), pool, attempts)
local function read_set(start)
    local count, found = tonumber(ARGV[start]), nil
    if count >= 0 then
        found = {}
        for i = start + 1, start + count do found[ARGV[i]] = true end
    end
    return found, start + 1 + math.max(0, count)
end
local kinds, after = read_set(8)
local queues = read_set(after)
local passes = {queues or false}
if queues and ARGV[7] == '1' then passes[2] = false end
local ready = redis.call('ZRANGE', P .. 'ready:' .. pool, 0, -1)
for _, wanted in ipairs(passes) do
    for _, id in ipairs(ready) do
        local m = message(id)
        if m['state'] == 'ready' and (not kinds or kinds[m['kind']]) and (not wanted or wanted[m['queue']]) then
            if tonumber(m['deliveries']) >= attempts then
                bury(id, pool, '')
                dead[#dead + 1] = flat(id)
            else
                local lease = now + tonumber(ARGV[4])
                redis.call('ZREM', P .. 'ready:' .. pool, id)
                redis.call('ZADD', P .. 'leases:' .. pool, lease, id)
                redis.call('HINCRBY', P .. 'message:' .. id, 'deliveries', 1)
                redis.call('HSET', P .. 'message:' .. id, 'state', 'reserved', 'token', ARGV[3], 'lease', lease,
                    'updated', now)
                redis.call('SET', P .. 'reservation:' .. ARGV[3], id, 'PX', 60000)
                return {redelivered, dead, flat(id)}
            end
        end
    end
end
return {redelivered, dead}
"""
)

FINISH = Script(
    _COMMON
    + """
-- ARGV: prefix, operation, pool, id, token, attempts, lease milliseconds, reason, what this call is known by
local operation, pool, id, attempts = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[6])
local m = message(id)
if operation ~= 'renew' and ARGV[9] ~= '' and redis.call('GET', P .. 'finish:' .. ARGV[9]) then
    return {'accepted', ''} -- asked again, since the answer was lost
end
if not m['state'] or m['state'] == 'dead' or m['state'] == 'acked' then return {'not_found', 'message_not_found'} end
if m['pool'] ~= pool then return {'unauthorized', 'work_pool_mismatch'} end
if m['state'] ~= 'reserved' then return {'not_current', 'no_active_reservation'} end
if m['token'] ~= ARGV[5] then return {'invalid_token', 'reservation_token_mismatch'} end
if tonumber(m['lease']) <= now then
    if tonumber(m['deliveries']) >= attempts then
        bury(id, pool, '')
        return {'dead_lettered', 'max_delivery_attempts_reached', flat(id)}
    end
    make_ready(id, pool, m['created'])
    wake(pool)
    return {'expired', 'lease_expired'}
end
if operation == 'ack' then
    redis.call('ZREM', P .. 'leases:' .. pool, id)
    redis.call('HSET', P .. 'message:' .. id, 'state', 'acked', 'updated', now)
    redis.call('ZADD', P .. 'acked', now, id)
    redis.call('SET', P .. 'finish:' .. ARGV[9], '1', 'PX', 60000)
    return {'accepted', ''}
end
if operation == 'renew' then
    local lease = now + tonumber(ARGV[7])
    redis.call('ZADD', P .. 'leases:' .. pool, lease, id)
    redis.call('HSET', P .. 'message:' .. id, 'lease', lease, 'updated', now)
    return {'accepted', '', tostring(lease)}
end
if tonumber(m['deliveries']) >= attempts then
    bury(id, pool, ARGV[8])
    return {'dead_lettered', 'max_delivery_attempts_reached', flat(id)}
end
make_ready(id, pool, m['created'])
wake(pool)
redis.call('SET', P .. 'finish:' .. ARGV[9], '1', 'PX', 60000)
return {'accepted', ''}
"""
)

EXPIRE = Script(
    _COMMON
    + """
-- ARGV: prefix, limit, pool ('' for all), attempts
local limit, attempts = tonumber(ARGV[2]), tonumber(ARGV[4])
local pools = ARGV[3] ~= '' and {ARGV[3]} or redis.call('SMEMBERS', P .. 'pools')
local redelivered, dead = {}, {}
for _, pool in ipairs(pools) do
    local left = limit - #redelivered - #dead
    if left <= 0 then break end
    local some, others = expire(left, pool, attempts)
    for _, each in ipairs(some) do redelivered[#redelivered + 1] = each end
    for _, each in ipairs(others) do dead[#dead + 1] = each end
end
return {redelivered, dead}
"""
)

WAKE = Script(_COMMON + "return wake(ARGV[2])")
