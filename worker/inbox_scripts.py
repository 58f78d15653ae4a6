"""The steps of the inbox that must happen whole or not at all, as Lua that Redis runs.

An entry that leaves one stream for another is appended there first and removed afterwards, inside
one script: when Redis refuses to append (memory is full), nothing has happened yet.

Notes of ours travel with an entry as fields whose names begin with ``fieldfare.``: ``origin``
(the id that it first arrived under), ``attempts``, ``reason``, ``error``, ``message``.
"""

MAX_FIELDS = 64
"""Most fields of an event, notes not counted."""

MAX_FIELD_BYTES = 64 * 1024
"""Most bytes of a field's name or value."""

# What is too large is carried one field and one byte too large, so that it stays malformed when
# it is replayed, and bounded wherever it lies.
_CARRIED = f"""
local function carried(id, fields, notes)
  local noted = {{}}
  for i = 1, #notes, 2 do noted[notes[i]] = true end
  local carry, origin = {{}}, nil
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if string.sub(name, 1, 10) == 'fieldfare.' then
      if name == 'fieldfare.origin' then origin = origin or string.sub(value, 1, 64) end
      if name == 'fieldfare.attempts' and not noted[name] then
        noted[name] = true
        carry[#carry + 1] = name
        carry[#carry + 1] = string.sub(value, 1, 20)
      end
    elseif #carry < {2 * (MAX_FIELDS + 1)} then
      carry[#carry + 1] = string.sub(name, 1, {MAX_FIELD_BYTES + 1})
      carry[#carry + 1] = string.sub(value, 1, {MAX_FIELD_BYTES + 1})
    end
  end
  carry[#carry + 1] = 'fieldfare.origin'
  carry[#carry + 1] = origin or id
  for i = 1, #notes do carry[#carry + 1] = notes[i] end
  return carry
end
"""

SETTLE = """
-- KEYS: inbox, handled. ARGV: group, number of ids, ids, then ticket, history line, ticket ...
-- A script and not a MULTI: when memory is full, Redis refuses even to queue what would free it.
local last = 2 + tonumber(ARGV[2])
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3, last))
redis.call('XDEL', KEYS[1], unpack(ARGV, 3, last))
if #ARGV > last then redis.call('HSET', KEYS[2], unpack(ARGV, last + 1)) end
"""

MOVE = (
    _CARRIED
    + """
-- KEYS: inbox, target. ARGV: group, number of note strings, notes, entry ids.
-- Only what is pending moves, so nothing moves twice. Returns how many moved.
local group, first_id = ARGV[1], 3 + tonumber(ARGV[2])
local notes = {unpack(ARGV, 3, first_id - 1)}
local moved = 0
for i = first_id, #ARGV do
  local id = ARGV[i]
  if redis.call('XPENDING', KEYS[1], group, id, id, 1)[1] then
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry then
      redis.call('XADD', KEYS[2], '*', unpack(carried(id, entry[2], notes)))
      moved = moved + 1
    end
    redis.call('XACK', KEYS[1], group, id)
    redis.call('XDEL', KEYS[1], id)
  end
end
return moved
"""
)

RETURN_OLDEST = (
    _CARRIED
    + """
-- KEYS: waiting room, inbox. ARGV: most entries, the last id. Returns how many went back.
local entries = redis.call('XRANGE', KEYS[1], '-', ARGV[2], 'COUNT', ARGV[1])
for _, entry in ipairs(entries) do
  redis.call('XADD', KEYS[2], '*', unpack(carried(entry[1], entry[2], {})))
  redis.call('XDEL', KEYS[1], entry[1])
end
return #entries
"""
)

REPLAY = (
    _CARRIED
    + """
-- KEYS: dead letters, inbox. ARGV: ids. Attempts start anew. Returns the ids that went back.
local replayed = {}
for _, id in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    redis.call('XADD', KEYS[2], '*', unpack(carried(id, entry[2], {'fieldfare.attempts', '0'})))
    redis.call('XDEL', KEYS[1], id)
    replayed[#replayed + 1] = id
  end
end
return replayed
"""
)

IDS_BY_REASON = """
-- KEYS: dead letters. ARGV: first id, last id, most entries to look at, reason (or nothing).
-- Returns where to go on, empty at the end, and then the ids.
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local found = {''}
for _, entry in ipairs(entries) do
  local fits = ARGV[4] == ''
  for i = 1, #entry[2], 2 do
    fits = fits or (entry[2][i] == 'fieldfare.reason' and entry[2][i + 1] == ARGV[4])
  end
  if fits then found[#found + 1] = entry[1] end
end
if #entries == tonumber(ARGV[3]) then found[1] = entries[#entries][1] end
return found
"""

RENEW = """
-- KEYS: inbox. ARGV: group, consumer, most entries. Sets the idle time of the consumer's own
-- entries to zero and leaves their delivery counts. Returns id, deliveries, id, deliveries ...
local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])
if #held == 0 then return {} end
local claim, rows = {}, {}
for _, row in ipairs(held) do
  claim[#claim + 1] = row[1]
  rows[#rows + 1] = row[1]
  rows[#rows + 1] = row[4]
end
claim[#claim + 1] = 'JUSTID'
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(claim))
return rows
"""

CLAIM_ABANDONED = """
-- KEYS: inbox. ARGV: group, consumer, idle milliseconds. Takes over one entry that nobody renewed.
-- Returns id, fields, deliveries; or nothing. Pending ids without an entry are cleared away.
while true do
  local row = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', 1)[1]
  if not row then return {} end
  local entry = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], row[1])[1]
  if entry then return {entry[1], entry[2], row[4] + 1} end
  redis.call('XACK', KEYS[1], ARGV[1], row[1])
end
"""

REMOVE_DEAD_CONSUMERS = """
-- KEYS: inbox. ARGV: group, idle milliseconds. Deleting a consumer that holds an entry would lose
-- the entry, so check and removal are one step. Returns the names removed.
local removed = {}
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #row, 2 do consumer[row[i]] = row[i + 1] end
  if consumer.pending == 0 and consumer.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed[#removed + 1] = consumer.name
  end
end
return removed
"""
