/**
 * What nginx runs in each request, as a Lua chunk that answers a table of functions. It holds the table of routes that the
 * agent told (table-text.ts) and orders the nodes of a request as core/routing/owners.ts does: that is the specification.
 *
 * The text of the table lies in a shared dict under its version, and `version` says which one is in force: setting that one
 * word is the switch, for all workers at once. Each worker keeps what it made of the text, and each request keeps the table
 * that it began with.
 */
export const ROUTER = String.raw`
local bit, byte, find, gmatch = require "bit", string.byte, string.find, string.gmatch
local band, bxor, lshift, rshift, tobit = bit.band, bit.bxor, bit.lshift, bit.rshift, bit.tobit
local dict = ngx.shared.flotilla
local router = { busy = {}, total = 0, trips = setmetatable({}, { __mode = "k" }), counted = 0 }

-- Products of 32 bits in numbers that hold 53.
local function imul(a, b)
  return tobit(band(a, 0xffff) * b + lshift(tobit(rshift(a, 16) * b), 16))
end

local function mix32(x)
  x = imul(bxor(x, rshift(x, 16)), 0x85ebca6b)
  x = imul(bxor(x, rshift(x, 13)), 0xc2b2ae35)
  x = bxor(x, rshift(x, 16))
  return x < 0 and x + 4294967296 or x
end

local function hash32(text)
  local hash = 0x811c9dc5
  for index = 1, #text do
    hash = imul(bxor(hash, byte(text, index)), 0x01000193)
  end
  return mix32(hash)
end

local function read_nodes(text, t)
  for name, state, weight, host, port in gmatch(text, "\nnode (%S+) (%l+) (%d+) (%S+) (%d+)") do
    local node = { name = name, state = state, weight = tonumber(weight), host = host, port = tonumber(port) }
    node.index, node.without, node.seed = #t.nodes + 1, {}, hash32(name)
    t.nodes[node.index], t.by_name[name] = node, node
  end
  for node, key in gmatch(text, "\nwithout (%d+) (%S+)") do
    t.nodes[tonumber(node)].without[key] = true
  end
  for _, node in ipairs(t.nodes) do
    t.is_even = t.is_even and node.weight == t.nodes[1].weight
  end
end

-- Owners stay text until somebody asks for them; few of many keys are asked for at one time.
local function read_keys(text, t)
  local count = 0
  for hot, owners, key in gmatch(text, "\nkey (%d) ([%d,]*) (%S+)") do
    count, t.owners[key] = count + 1, owners
    if hot ~= "1" then t.hot[key] = tonumber(hot) end
  end
  return count
end

-- Answers nil and a reason for what is no table, or half of one.
function router.parse(text)
  local version, revision, nodes, keys = string.match(text, "^flotilla%-table 1 (%x+) (%d+) (%d+) (%d+)\n")
  if not version or string.sub(text, -5) ~= "\nend\n" then return nil, "no whole table" end
  local t = { version = version, revision = revision, nodes = {}, by_name = {}, owners = {}, hot = {}, is_even = true }
  local host, port = string.match(text, "\nevery (%S+) (%d+)\n")
  t.every = host and { host = host, port = tonumber(port), name = "" }
  local is_read, why = pcall(read_nodes, text, t)
  if not is_read then return nil, why end
  local count = read_keys(text, t)
  if #t.nodes ~= tonumber(nodes) or count ~= tonumber(keys) then return nil, "lines are missing" end
  return t
end

-- The version of the table in the file, and its text unless that is in force already.
local function read_file()
  local file, why = io.open(router.file, "rb")
  if not file then return nil, nil, why end
  local head = file:read(80)
  local version = head and string.match(head, "^flotilla%-table 1 (%x+) ")
  local text = version and version ~= dict:get("version") and head .. file:read("*a")
  file:close()
  return version, text, "no table is in " .. router.file
end

local function install(version, text)
  local t, fault = router.parse(text)
  if not t then return fault end
  local is_set, why = dict:safe_set("text " .. version, text)
  if not is_set then return "the table does not fit: " .. why end
  local before = dict:get("version")
  dict:set("version", version)
  if before and before ~= version then dict:delete("text " .. before) end
end

-- Puts the table of the file into force for every worker. Answers its version, or nil and a reason. Looks again after
-- that: another worker may have been at an older file at the same time, and have come last.
function router.look()
  for _ = 1, 5 do
    local version, text, why = read_file()
    if not version then return nil, why end
    if not text then return version end
    local fault = install(version, text)
    if fault then return nil, fault end
  end
  return nil, "the file changes all the time"
end

-- The table that is in force now. After a start it is the one in the file.
function router.current()
  for _ = 1, 5 do
    local version, why = dict:get("version")
    if not version then version, why = router.look() end
    if not version then return nil, why end
    if router.table and router.table.version == version then return router.table end
    -- It is gone where a newer one came in this moment.
    local text = dict:get("text " .. version)
    if text then
      router.table, why = router.parse(text)
      return router.table, why
    end
  end
  return nil, "the table changes all the time"
end

local function is_good(node, key)
  return node.state == "up" and not (key and node.without[key])
end

local function is_last_resort(node, key)
  return node.state ~= "down" and not is_good(node, key)
end

-- The node with the best rank for that hash of those that are wanted and not taken.
local function best_ranked(t, hash, key, is_wanted, taken)
  local best, best_score
  for _, node in ipairs(t.nodes) do
    if not taken[node] and is_wanted(node, key) then
      local uniform = mix32(bxor(hash, node.seed))
      local score = t.is_even and -uniform or -math.log((uniform + 0.5) / 4294967296) / node.weight
      if not best or score < best_score then best, best_score = node, score end
    end
  end
  return best
end

local function placed_for(t, key)
  local owners = key and t.owners[key]
  if type(owners) == "string" then
    local list = {}
    for index in gmatch(owners, "%d+") do list[#list + 1] = t.nodes[tonumber(index)] end
    t.owners[key], owners = list, list
  end
  return owners or {}
end

-- Up to so many of the nodes that are wanted: those that the placement names, then by rank.
local function take(t, request, is_wanted, count)
  local list, taken = {}, {}
  local function add(node)
    taken[node] = true
    list[#list + 1] = node
  end
  for _, node in ipairs(placed_for(t, request.key)) do
    if #list < count and is_wanted(node, request.key) then add(node) end
  end
  local hash
  while #list < count do
    hash = hash or hash32(request.key or request.client)
    local node = best_ranked(t, hash, request.key, is_wanted, taken)
    if not node then break end
    add(node)
  end
  return list
end

local function to_front(list, at)
  table.insert(list, 1, table.remove(list, at))
end

local function count(name, change)
  router.busy[name] = (router.busy[name] or 0) + change
  router.total = router.total + change
end

-- A request that ends as an error page of the server's own is not seen to leave: so requests are counted anew each second,
-- and those that nobody holds any more are gone once they are collected.
local function recount()
  collectgarbage("step", 512)
  router.counted, router.busy, router.total = ngx.now(), {}, 0
  for trip in pairs(router.trips) do
    if trip.node then count(trip.node.name, 1) end
  end
end

-- A node that is far busier than the others, as this worker sees it, lets the next one answer.
local function avoid_busy(t, good)
  if ngx.now() - router.counted > 1 then recount() end
  local limit = math.max(router.busy_min, router.busy_bound * (router.total + 1) / #t.nodes)
  for at, node in ipairs(good) do
    if (router.busy[node.name] or 0) < limit then
      if at > 1 then to_front(good, at) end
      return
    end
  end
end

-- The nodes to be tried for a request, best first. The request: key (nil for none), client, session (of which node, nil).
function router.order(t, request)
  local hot = request.key and t.hot[request.key] or 1
  local good = take(t, request, is_good, math.max(router.tries, hot))
  local sharers = math.min(hot, #good)
  if sharers > 1 then to_front(good, hash32(request.client) % sharers + 1) end
  avoid_busy(t, good)
  local home = request.session and t.by_name[request.session]
  if home and is_good(home, request.key) then
    for at, node in ipairs(good) do
      if node == home then table.remove(good, at) break end
    end
    table.insert(good, 1, home)
  end
  local good_count = #good
  if good_count < router.tries then
    for _, node in ipairs(take(t, request, is_last_resort, router.tries - good_count)) do good[#good + 1] = node end
  end
  return good, good_count
end

-- What clients escape without need would hide a name from the maps.
local function normal_args(args)
  return (string.gsub(args, "=[^&]*", function(value)
    value = string.gsub(value, "%+", "%%20")
    return (string.gsub(value, "%%(%x%x)", function(hex)
      local char = string.char(tonumber(hex, 16))
      return find(char, "[%w_.:@~/,()-]") and char or nil
    end))
  end))
end

local function begin()
  local t, why = router.current()
  if not t then
    ngx.log(ngx.ERR, "flotilla: there is no table of routes: ", why)
    return nil
  end
  local var = ngx.var
  var.flotilla_revision = t.revision
  if t.every and var.flotilla_every ~= "" then return { list = { t.every }, good = 1, at = 0 } end
  local args = var.args
  if args and (find(args, "%", 1, true) or find(args, "+", 1, true)) then var.flotilla_args = normal_args(args) end
  local key, session = var.flotilla_key, var.flotilla_session
  local list, good = router.order(t, {
    key = key ~= "" and key or nil,
    client = var.remote_addr,
    session = session ~= "" and session or nil,
  })
  return { list = list, good = good, at = 0 }
end

local function leave(trip)
  if trip.node then count(trip.node.name, -1) end
  trip.node = nil
  router.trips[trip] = nil
end

-- Runs for each try of a request.
function router.balance()
  local balancer = require "ngx.balancer"
  local trip = ngx.ctx.flotilla
  if not trip then
    trip = begin()
    if not trip or #trip.list == 0 then return ngx.exit(-3) end
    ngx.ctx.flotilla = trip
    if #trip.list > 1 then balancer.set_more_tries(math.min(#trip.list, router.tries) - 1) end
  end
  leave(trip)
  -- nginx adds a try of its own where a kept connection was closed: with one node that is the same node.
  trip.at = math.min(trip.at + 1, #trip.list)
  local node = trip.list[trip.at]
  trip.node, router.trips[trip] = node, true
  count(node.name, 1)
  ngx.var.flotilla_served_by = trip.at > trip.good and node.name .. router.last_resort or node.name
  local is_set, why = balancer.set_current_peer(node.host, node.port)
  if not is_set then
    ngx.log(ngx.ERR, "flotilla: ", node.host, " is no address: ", why)
    return ngx.exit(-3)
  end
end

function router.done()
  if ngx.ctx.flotilla then leave(ngx.ctx.flotilla) end
end
`

/** Answers the agent, which has put a table into the file and says no more than: look. */
export const LOOK = String.raw`
local version, why = router.look()
ngx.say("config ", router.config)
ngx.say("table ", version or "none")
ngx.say("pid ", ngx.worker.pid())
if why then ngx.say("error ", why) end
`
