import { compareKeys } from '../../src/core/files/entry.ts'
import type { ChildRecord, LedgerRow, OpenLedger, ParentRecord, StuckOperation } from '../../src/core/push/ledger.ts'
import { compareVersions, isGone, type Operation, type Version } from '../../src/core/push/operation.ts'
import type { Clock } from '../../src/core/clock.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

/** What a ledger in memory leaves behind for the next one that is opened over it. */
export class LedgerDisk {
  readonly rows = new Map<string, LedgerRow>()
  readonly children = new Map<string, ChildRecord>()
  readonly stuck = new Map<string, Map<string, StuckOperation>>()
  id: string
  was: string | undefined
  epoch: number
  sequence = 0
  position = 0
  newest: Version = { epoch: 0, sequence: 0 }
  floor: Version = { epoch: 0, sequence: 0 }
  readonly leaving = new Set<string>()
  readonly outdated = new Set<string>()
  parent: ParentRecord | undefined
  formerParent: ParentRecord | undefined
  adopted: string | undefined

  constructor(id: string, epoch: number) {
    this.id = id
    this.epoch = epoch
  }
}

let ledgers = 0

/** The plainest ledger there can be: what others are compared with, and what tests of other parts use. */
export class MemoryLedger implements OpenLedger {
  readonly #disk: LedgerDisk
  readonly #clock: Clock

  constructor(
    clock: Clock = systemClock,
    disk = new LedgerDisk(`ledger-${++ledgers}`, Math.floor(clock.nowMs() / 1000)),
  ) {
    this.#clock = clock
    this.#disk = disk
  }

  get id(): string {
    return this.#disk.id
  }

  get was(): string | undefined {
    return this.#disk.was
  }

  get position(): number {
    return this.#disk.position
  }

  get newest(): Version | undefined {
    return this.#disk.newest.epoch === 0 ? undefined : this.#disk.newest
  }

  next(): Version {
    const disk = this.#disk
    if (compareVersions(disk.newest, disk) > 0)
      this.lead(Math.max(disk.newest.epoch + 1, Math.floor(this.#clock.nowMs() / 1000)))
    disk.sequence++
    return { epoch: disk.epoch, sequence: disk.sequence }
  }

  lead(epoch: number): void {
    if (epoch <= this.#disk.epoch) return
    this.#disk.epoch = epoch
    this.#disk.sequence = 0
  }

  get(key: string): LedgerRow | undefined {
    return this.#disk.rows.get(key)
  }

  async record(operation: Operation): Promise<boolean> {
    await Promise.resolve()
    const disk = this.#disk
    const { key, version } = operation
    if (this.compare(key, version) <= 0) return false
    const row = { ...operation, position: ++disk.position, recordedMs: this.#clock.nowMs() }
    disk.rows.delete(key)
    disk.rows.set(key, row)
    disk.leaving.delete(key)
    if (compareVersions(version, disk.newest) > 0) disk.newest = version
    return true
  }

  atOnce<T>(read: () => T): T {
    return read()
  }

  compare(key: string, version: Version): number {
    const row = this.#disk.rows.get(key)
    if (row !== undefined) return compareVersions(version, row.version)
    return compareVersions(version, this.#disk.floor) > 0 ? 1 : -1
  }

  learn(key: string, version: Version, sha256: string): void {
    const row = this.#disk.rows.get(key)
    if (row === undefined || isGone(row) || row.sha256 !== undefined || compareVersions(version, row.version) !== 0)
      return
    this.#disk.rows.set(key, { ...row, sha256 })
  }

  /** The order of a map is that of setting: of positions. */
  after(position: number, limit: number): readonly LedgerRow[] {
    return [...this.#disk.rows.values()].filter((row) => row.position > position).slice(0, limit)
  }

  page({ prefix, after, limit }: { prefix: string; after: string; limit: number }): readonly LedgerRow[] {
    return [...this.#disk.rows.values()]
      .filter((row) => !isGone(row) && row.key.startsWith(prefix) && compareKeys(row.key, after) > 0)
      .toSorted((a, b) => compareKeys(a.key, b.key))
      .slice(0, limit)
  }

  async forget(beforeMs: number, position: number): Promise<void> {
    for (const row of this.#disk.rows.values()) {
      if (!isGone(row) || row.recordedMs >= beforeMs || row.position > position) continue
      this.#disk.rows.delete(row.key)
      if (compareVersions(row.version, this.#disk.floor) > 0) this.#disk.floor = row.version
    }
  }

  async restart(): Promise<void> {
    this.#disk.rows.clear()
    this.#disk.was = this.#disk.id
    this.#disk.id = `ledger-${++ledgers}`
    this.#disk.newest = { epoch: 0, sequence: 0 }
    this.#disk.floor = { epoch: 0, sequence: 0 }
  }

  async close(): Promise<void> {}

  child(url: string): ChildRecord | undefined {
    return this.#disk.children.get(url)
  }

  keep(url: string, record: ChildRecord): void {
    this.#disk.children.set(url, record)
  }

  forgetChild(url: string): void {
    this.#disk.children.delete(url)
    this.#disk.stuck.delete(url)
  }

  stuck(url: string, { after, limit }: { readonly after: string; readonly limit: number }): readonly StuckOperation[] {
    return [...(this.#disk.stuck.get(url)?.values() ?? [])]
      .filter(({ key }) => compareKeys(key, after) > 0)
      .toSorted((a, b) => compareKeys(a.key, b.key))
      .slice(0, limit)
  }

  keepStuck(url: string, operation: StuckOperation): void {
    const stuck = this.#disk.stuck.get(url) ?? new Map<string, StuckOperation>()
    this.#disk.stuck.set(url, stuck.set(operation.key, operation))
  }

  unstick(url: string, key: string): void {
    this.#disk.stuck.get(url)?.delete(key)
  }

  outdatedBy(): readonly string[] {
    return [...this.#disk.outdated].toSorted(compareKeys)
  }

  keepOutdated(url: string, isOutdated: boolean): void {
    if (isOutdated) this.#disk.outdated.add(url)
    else this.#disk.outdated.delete(url)
  }

  parent(): ParentRecord | undefined {
    return this.#disk.parent
  }

  formerParent(): ParentRecord | undefined {
    return this.#disk.formerParent
  }

  keepParent(parent: ParentRecord | undefined): void {
    this.#disk.formerParent = parent === undefined ? (this.#disk.parent ?? this.#disk.formerParent) : undefined
    this.#disk.parent = parent
  }

  leaving(): readonly string[] {
    return [...this.#disk.leaving].toSorted(compareKeys)
  }

  keepLeaving(key: string, isLeaving: boolean): void {
    if (isLeaving) this.#disk.leaving.add(key)
    else this.#disk.leaving.delete(key)
  }

  adopted(): string | undefined {
    return this.#disk.adopted
  }

  keepAdopted(cursor: string): void {
    this.#disk.adopted = cursor
  }
}
