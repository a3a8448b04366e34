import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import type { TreeUploads } from '../core/files/tree-uploads.ts'
import type { PutTogether, TreeFiles } from '../core/files/tree-files.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { TreeParts } from '../core/files/tree-parts.ts'
import type { Logger } from '../core/log.ts'
import type { Relay } from '../core/push/distribution.ts'
import type { Election } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { Service } from '../core/service.ts'
import { parseBandwidth } from '../core/sync/bandwidth.ts'
import { Secret } from '../lib/secret.ts'
import { Throttle } from '../lib/throttle.ts'
import { adoption } from '../outbox/adopt.ts'
import { HttpChildFiles } from '../outbox/child-http-files.ts'
import { HttpChild } from '../outbox/child-http.ts'
import { childPlace, refuseTwice } from '../outbox/child-place.ts'
import { type ChildAt, TreeDistribution } from '../outbox/distribution.ts'
import { hasLedger } from '../outbox/ledger-file.ts'
import { openLedger } from '../outbox/ledger.ts'
import { PushedFiles, type PushedOptions, PushedUploads } from '../outbox/pushed-files.ts'
import { PushedParts } from '../outbox/pushed-parts.ts'
import { PushedTurns } from '../outbox/pushed-turns.ts'
import { TreeReceiver } from '../outbox/receiver.ts'
import { passOn } from '../outbox/relay.ts'
import type { FilesCluster, JoinedChild } from './files-cluster.ts'
import { readCertificates } from './certificates.ts'
import { readChildKey } from './files-child-files.ts'
import { electedRoot, forgetParent, isRootNow, joinedChildren } from './files-roots.ts'

/** A tree as its folder has it. */
export interface PlainTree {
  readonly name: string
  readonly files: TreeFiles & PutTogether
  readonly uploads: TreeUploads | undefined
  readonly parts: TreeParts
  readonly index: TreeIndex
}

export interface DistributionDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Of this node, for people: known when it listens. */
  readonly nodeName: () => string
  /** File of the ledger. */
  readonly ledgerFile: string
  /** Of what is to be caught up; one for all trees of a node. */
  readonly throttle: Throttle
  /** Inside an agent. */
  readonly cluster?: FilesCluster | undefined
  /** Resolves with how others reach this node, once it listens. */
  readonly listening: Promise<string>
}

/** A tree on its way to other nodes, or from them. */
export interface Distributed {
  /** What those who write from outside use. */
  readonly files: TreeFiles
  readonly uploads: TreeUploads | undefined
  readonly parts: Pick<TreeParts, 'take' | 'incoming'>
  readonly distribution: TreeDistribution
  readonly services: readonly Service[]
  close(): Promise<void>
}

export function throttleOf({ catchUpRate }: Pick<FilesConfig, 'catchUpRate'>, clock: Clock): Throttle {
  return new Throttle(clock, parseBandwidth(catchUpRate))
}

/** Rejects with what is wrong with children, their keys, or the ledger, and leaves nothing open then. */
export async function openDistribution(
  plain: PlainTree,
  config: FilesConfig,
  deps: DistributionDeps,
): Promise<Distributed> {
  const { children, ack, elected, readOnly, relay, keepCopies } = config.trees[plain.name] as TreeConfig
  const { clock, log, nodeName, throttle, cluster } = deps
  const isReadOnly = readOnly || config.readOnly
  const isJoined = children === 'cluster'
  if (!isJoined)
    refuseTwice(
      children.map(({ url }) => url),
      plain.name,
    )
  const at = isJoined ? [] : await Promise.all(children.map(async (child) => childAt(child, plain.name, deps)))
  const isParent = isJoined || at.length > 0
  if (!isParent && ack !== 'local') log.warn(ALONE, { tree: plain.name, ack })
  const ledgers = new LateLedger(deps)
  // A root without children has a ledger too: what it writes is newer than what a former root has.
  const isWriter = isParent || elected || config.root
  if (isWriter || hasLedger(deps.ledgerFile)) await ledgers.open()
  if (config.root) forgetParent(plain.name, ledgers.current, log)
  const onParent = (): void => distribution.onParent()
  const root =
    elected && cluster !== undefined && ledgers.current !== undefined
      ? electedRoot({ ...deps, cluster, tree: plain.name, ledger: ledgers.current, onChange: onParent })
      : undefined
  const receiver = new TreeReceiver({
    ...plain,
    ledger: async () => ledgers.open(),
    isRoot: config.root || isReadOnly,
    ...(root && { roots: { tree: plain.name, election: root.election } }),
    deep: async (keys, waitMs, op) => distribution.deep(keys, waitMs, op),
    below: () => distribution.below,
    isLeaf: () => distribution.children().length === 0,
    onRecorded: () => distribution.onRecorded(),
    ...(isParent && { onGrowing: (growing, outcome) => distribution.onGrowing(growing, outcome) }),
    onParent,
    clock,
    log,
  })
  const distribution: TreeDistribution = new TreeDistribution({
    ...plain,
    get name() {
      return nodeName()
    },
    tree: plain.name,
    ledger: () => ledgers.current,
    receiver,
    children: at,
    election: root?.election,
    ack: { level: ack, timeoutMs: config.ackTimeout },
    throttle,
    isRelayed: relay,
    ...(relay && { relay: relayOf(plain, clock) }),
    keepsCopies: keepCopies && !isReadOnly,
    clock,
    log,
    random: Math.random,
  })
  const close = async (): Promise<void> => {
    await distribution.close()
    await ledgers.close()
  }
  if (ledgers.current === undefined || !isWriter)
    return { ...plain, distribution, services: distribution.services, close }
  const open = (child: JoinedChild): ChildAt => joinedAt(child, plain.name, deps)
  const joined = isJoined && cluster !== undefined ? [joinedChildren(plain.name, distribution, cluster, open, log)] : []
  const { services, ...written } = rooted(plain, ledgers.current, distribution, root?.election, clock)
  return { ...written, services: [...services, ...joined, ...(root ? [root.service] : [])], distribution, close }
}

/** To the other children of the parent, with the key that it showed. */
function relayOf({ name, files }: PlainTree, clock: Clock): Relay {
  return {
    passOn: async (operations, { urls, key }, { signal }) => {
      const shown = key && new Secret(key.reveal())
      const open = (url: string): HttpChild => new HttpChild({ url, tree: name, key: shown, clock })
      return await passOn(operations, urls, { files, open, signal })
    },
  }
}

/** What is written here goes on to the children. */
function rooted(
  plain: PlainTree,
  ledger: OpenLedger,
  distribution: TreeDistribution,
  election: Election | undefined,
  clock: Clock,
) {
  const onRecorded = (): void => distribution.onRecorded()
  const turns = new PushedTurns({ ledger, onRecorded, election, isSettled: () => distribution.isSettled })
  const pushed: PushedOptions = {
    turns,
    onGrowing: (growing, outcome) => distribution.onGrowing(growing, outcome),
  }
  const adopted = adoption({
    tree: plain.name,
    index: plain.index,
    ledger,
    turns,
    isRoot: () => isRootNow(ledger, election) && distribution.outdatedBy === undefined,
    onRecorded,
    clock,
  })
  return {
    files: new PushedFiles(plain.files, pushed),
    parts: new PushedParts(plain.parts, pushed),
    uploads: plain.uploads && new PushedUploads(plain.uploads, turns),
    services: [...distribution.services, adopted],
  }
}

const ALONE = 'this tree has no children: `ack` makes no difference, and every write is answered when it is here'

type TreeConfig = FilesConfig['trees'][string]
type ChildConfig = Exclude<TreeConfig['children'], string>[number]

async function childAt({ url, keyFile, caFile }: ChildConfig, tree: string, deps: DistributionDeps): Promise<ChildAt> {
  const { base, clock } = deps
  const key = keyFile === undefined ? undefined : await readChildKey(absolute(base, keyFile))
  const ca = caFile === undefined ? undefined : await readCertificates(absolute(base, caFile))
  return openedAt({ url, tree, key, keyFile, ca, clock })
}

function joinedAt({ url, key }: JoinedChild, tree: string, { clock }: DistributionDeps): ChildAt {
  return openedAt({ url, tree, key, clock })
}

function openedAt(options: ConstructorParameters<typeof HttpChild>[0]): ChildAt {
  return {
    name: childPlace(options.url, options.tree).name,
    child: new HttpChild(options),
    files: new HttpChildFiles(options),
  }
}

/** A ledger that is made when it is needed: by a node that has children, or that a parent greets. */
class LateLedger {
  readonly #deps: DistributionDeps
  #opening: Promise<OpenLedger> | undefined
  #current: OpenLedger | undefined

  constructor(deps: DistributionDeps) {
    this.#deps = deps
  }

  get current(): OpenLedger | undefined {
    return this.#current
  }

  async open(): Promise<OpenLedger> {
    const { ledgerFile: path, clock, log } = this.#deps
    this.#opening ??= openLedger({ path, clock, log })
    try {
      this.#current = await this.#opening
      return this.#current
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#current?.close()
  }
}
