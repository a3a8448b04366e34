/**
 * The only place that spells a key of the store.
 *
 *     desired/<tree>                     the release every node should serve
 *     desired/<tree>/<node>              what one node should serve instead, while a rollout is at it
 *     rollout/<tree>                     the rollout that is under way, or the last one
 *     outcome/<tree>/<number>            why a release was taken back, once another rollout has come after its own
 *     policy/<tree>                      how releases of the tree go out unless told otherwise
 *     list/<tree>/<list>/<value>         blocked and unlimited addresses: no part of any release
 *     drain/<node>/<who>                 gets no new requests from the proxies, as a whole or for some items
 *     bridge/<tree>/<peer>               what a node of another program was last told
 *     service/<name>                     held under a lease by the hub that runs the service: its revision is the fence
 *     release/<tree>/<number>            history: one record per release
 *     request/<tree>/<kind>/<dataset>    "do it again": its revision is the generation a node compares
 *     node/<node>/joined                 written by the hub when the node joins
 *     node/<node>/alive                  under the node's lease
 *     node/<node>/target/<tree>          what the node staged, applied and serves
 *     node/<node>/datasets/<tree>        the same, dataset by dataset
 *     node/<node>/loads/<tree>           how long each dataset took to load there
 *     node/<node>/proxy/<name>           what a proxy beside that agent has taken over
 *     node/<node>/files/<tree>           how far the node is with files that it pulls
 *     node/<node>/served                 which trees of files others can read there, also while it is lost
 *     node/<node>/rendered               how the files fare that templates make there
 *     node/<node>/catalog/<tree>         what of a catalog was changed there, and by no release
 *     node/<node>/kept/<tree>            versions of it that were overwritten there
 *     order/<node>/<tree>/<id>           what a person wants done with these, under a lease
 *     seal/<node>/<tree>                 the public key of a node that asks another for its keystore, under a lease
 *     seal/<node>/<tree>/<receiver>      what it sealed for that one, until it was taken
 *     flip/<tree>/<group>                the generation of files that all nodes show
 *     root/<tree>                        which of several roots of a tree of files takes writes, under its lease
 *     root/<tree>/epoch                  the greatest epoch that one of them ever led
 *     profile/<profile>                  shared state: params, icon, colour, in one value
 *     profile-log/<profile>/<version>    what each change of it was, and whose
 *     param/<param>                      default and schema of a param, whatever profile it is in
 *     once/<id>                          the answer to a request that carried a key of its own, should it come again
 *     elect/<name>/<who>                 a candidate, under its lease: in order of revision, which is the fence as well
 *     elect/<name>/<who>/value           what it proclaims, under the same lease
 *     lock/<name>/<who>                  one that holds or waits for a lock, in the same way
 *     barrier/<name>                     the generation that is open next, and how many it takes
 *     barrier/<name>/<generation>/<who>  one that has arrived, under its lease
 *     node/<node>/meta                   icon, colour and progress that scripts show for a node
 *     node/<node>/machine                what clients of Digital Rebar set of the machine that a node is to them
 *     token/<id>  join/<id>  secret/<x>  never leave the hub
 *     use/<id>                           how often, when and from where a token of a profile was used
 *     peer/key                           shared by the nodes, to fetch blobs from each other
 */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

/** Names of nodes and trees: 1 to 64 of `a-z 0-9 . _ -`, starting and ending with a letter or digit. */
export function isName(text: string): boolean {
  return NAME.test(text) && !text.includes('..')
}

const DIGITS = 10

export const keys = {
  desired: (tree: string) => `desired/${tree}`,
  desiredOfAll: 'desired/',
  pin: (tree: string, node: string) => `desired/${tree}/${node}`,
  pins: (tree: string) => `desired/${tree}/`,
  rollout: (tree: string) => `rollout/${tree}`,
  rollouts: 'rollout/',
  outcome: (tree: string, number: number) => `outcome/${tree}/${String(number).padStart(DIGITS, '0')}`,
  outcomes: (tree: string) => `outcome/${tree}/`,
  policy: (tree: string) => `policy/${tree}`,
  list: (tree: string, list: string, value: string) => `list/${tree}/${list}/${value}`,
  lists: (tree: string) => `list/${tree}/`,
  listsOfAll: 'list/',
  drain: (node: string, who: string) => `drain/${node}/${who}`,
  drainsOf: (node: string) => `drain/${node}/`,
  drains: 'drain/',
  bridge: (tree: string, peer: string) => `bridge/${tree}/${peer}`,
  service: (name: string) => `service/${name}`,
  release: (tree: string, number: number) => `release/${tree}/${String(number).padStart(DIGITS, '0')}`,
  releases: (tree: string) => `release/${tree}/`,
  /** An item of a catalog may be called anything. */
  request: (tree: string, kind: string, item: string) =>
    `request/${tree}/${kind}/${item.replace(/[^!-$&-~]/gu, encodeURIComponent)}`,
  requests: (tree: string) => `request/${tree}/`,
  node: (node: string) => `node/${node}/`,
  nodes: 'node/',
  joined: (node: string) => `node/${node}/joined`,
  alive: (node: string) => `node/${node}/alive`,
  target: (node: string, tree: string) => `node/${node}/target/${tree}`,
  datasets: (node: string, tree: string) => `node/${node}/datasets/${tree}`,
  loads: (node: string, tree: string) => `node/${node}/loads/${tree}`,
  proxy: (node: string, name: string) => `node/${node}/proxy/${name}`,
  files: (node: string, tree: string) => `node/${node}/files/${tree}`,
  served: (node: string) => `node/${node}/served`,
  rendered: (node: string) => `node/${node}/rendered`,
  catalog: (node: string, tree: string) => `node/${node}/catalog/${tree}`,
  kept: (node: string, tree: string) => `node/${node}/kept/${tree}`,
  order: (node: string, tree: string, id: string) => `order/${node}/${tree}/${id}`,
  orders: (node: string, tree: string) => `order/${node}/${tree}/`,
  ordersOf: (node: string) => `order/${node}/`,
  ordersOfAll: 'order/',
  seal: (node: string, tree: string) => `seal/${node}/${tree}`,
  sealed: (node: string, tree: string, receiver: string) => `seal/${node}/${tree}/${receiver}`,
  sealsOf: (node: string) => `seal/${node}/`,
  seals: 'seal/',
  /** A group is a folder, which may be called anything. */
  flip: (tree: string, group: string) => `flip/${tree}/${encodeURIComponent(group)}`,
  flipsOf: (tree: string) => `flip/${tree}/`,
  flips: 'flip/',
  root: (tree: string) => `root/${tree}`,
  rootEpoch: (tree: string) => `root/${tree}/epoch`,
  roots: 'root/',
  profile: (profile: string) => `profile/${profile}`,
  profiles: 'profile/',
  profileChange: (profile: string, version: number) =>
    `profile-log/${profile}/${String(version).padStart(DIGITS, '0')}`,
  profileChanges: (profile: string) => `profile-log/${profile}/`,
  profileLogs: 'profile-log/',
  /** A param may be called anything. */
  param: (param: string) => `param/${encodeURIComponent(param)}`,
  params: 'param/',
  once: (id: string) => `once/${id}`,
  onces: 'once/',
  claim: (kind: 'elect' | 'lock', name: string, who: string) => `${kind}/${name}/${encodeURIComponent(who)}`,
  claims: (kind: 'elect' | 'lock', name: string) => `${kind}/${name}/`,
  claimsOfAll: (kind: 'elect' | 'lock') => `${kind}/`,
  /** What it proclaims, which ends with it. */
  claimValue: (claim: string) => `${claim}/value`,
  barrier: (name: string) => `barrier/${name}`,
  barriers: 'barrier/',
  arrival: (name: string, generation: number, who: string) =>
    `barrier/${name}/${String(generation).padStart(DIGITS, '0')}/${encodeURIComponent(who)}`,
  arrivals: (name: string, generation: number) => `barrier/${name}/${String(generation).padStart(DIGITS, '0')}/`,
  meta: (node: string) => `node/${node}/meta`,
  machine: (node: string) => `node/${node}/machine`,
  token: (id: string) => `token/${id}`,
  tokens: 'token/',
  use: (token: string) => `use/${token}`,
  uses: 'use/',
  join: (id: string) => `join/${id}`,
  joins: 'join/',
  secret: (name: string) => `secret/${name}`,
  peerKey: 'peer/key',
} as const

/** Splits `node/<node>/<family>[/<tree>]`; undefined for any other key. */
export function parseNodeKey(key: string): { node: string; family: string; tree: string | undefined } | undefined {
  const [top, node, family, tree] = key.split('/')
  if (top !== 'node' || node === undefined || family === undefined) return undefined
  return { node, family, tree }
}
