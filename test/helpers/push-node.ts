import { silent } from '../../src/core/log.ts'
import type { Child } from '../../src/core/push/child.ts'
import type { PutOperation } from '../../src/core/push/operation.ts'
import { Sender, type SenderOptions } from '../../src/outbox/sender.ts'
import { LedgerDisk, MemoryLedger } from './ledger.ts'
import { MemoryTree } from './memory-tree.ts'
import { MemoryTreeFiles } from './memory-tree-files.ts'
import { seeded } from './random.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface Running {
  readonly sender: Sender
  stop(): Promise<void>
}

/** A root in memory: a folder, its ledger, and what it knows of its children, which outlives senders. */
export class PushNode {
  readonly clock: VirtualClock
  readonly tree = new MemoryTree()
  readonly files = new MemoryTreeFiles(this.tree)
  readonly disk = new LedgerDisk('root-ledger', 1000)
  ledger: MemoryLedger
  readonly #running = new Set<Running>()

  constructor(clock = new VirtualClock()) {
    this.clock = clock
    this.ledger = new MemoryLedger(clock, this.disk)
  }

  /** As if the process had been started again. */
  restarted(): void {
    this.ledger = new MemoryLedger(this.clock, this.disk)
  }

  async put(key: string, content: string | Uint8Array): Promise<PutOperation> {
    const body = async function* (): AsyncGenerator<Uint8Array, void> {
      yield typeof content === 'string' ? Buffer.from(content) : content
    }
    const written = await this.files.put(key, body(), { digests: { md5: true, sha256: true } })
    if (written === 'failed-condition') throw new Error('no condition was asked for')
    const { size, etag, sha256, modifiedMs } = written.entry
    const operation: PutOperation = { key, version: this.ledger.next(), size, sha256, modifiedMs, etag }
    await this.ledger.record(operation)
    this.poke()
    return operation
  }

  async remove(key: string): Promise<void> {
    await this.files.remove(key)
    await this.ledger.record({ key, version: this.ledger.next(), gone: true })
    this.poke()
  }

  poke(): void {
    for (const { sender } of this.#running) sender.poke()
  }

  contents(): ReadonlyMap<string, string> {
    return new Map([...this.tree.files].map(([key, { bytes }]) => [key, Buffer.from(bytes).toString()]))
  }

  start(child: Child, options: Partial<SenderOptions> = {}): Running {
    const { ledger, files, clock } = this
    const sender = new Sender({
      child,
      ledger,
      files,
      clock,
      log: silent,
      random: seeded(7),
      hello: () => ({ from: ledger.id, name: 'root', lineage: 'one', above: [ledger.id] }),
      ...options,
    })
    const stopping = new AbortController()
    const run = sender.run(stopping.signal)
    const running: Running = {
      sender,
      stop: async () => {
        stopping.abort(new Error('stopped'))
        this.#running.delete(running)
        await run
      },
    }
    this.#running.add(running)
    return running
  }

  async stop(): Promise<void> {
    for (const running of this.#running) await running.stop()
  }
}
