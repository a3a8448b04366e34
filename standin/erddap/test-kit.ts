import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { type Erddap, startErddap } from './erddap.ts'
import type { ErddapOptions } from './options.ts'
import type { FlagKind } from './stats.ts'

const GIVE_UP_MS = 15_000

/** Waits for a condition, however busy the machine is; fails with `what` when it never comes true. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + GIVE_UP_MS
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}

/** A stand-in in a temporary folder, quick enough for tests, gone when the test ends. */
export class Sandbox {
  readonly root = mkdtempSync(join(tmpdir(), 'standin-'))
  readonly contentDir = join(this.root, 'content')
  readonly bigParentDir = join(this.root, 'bigParent')
  /** A data folder with one file, `one.csv`. */
  readonly data = join(this.root, 'data')

  constructor() {
    for (const folder of [this.contentDir, this.data]) mkdirSync(folder)
    writeFileSync(join(this.data, 'one.csv'), 'time,value\n')
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }))
  }

  /** Writes a datasets.xml with this inside, whole or not at all. */
  write(...inside: readonly string[]): void {
    this.writeRaw(
      `<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n${inside.join('\n')}\n</erddapDatasets>\n`,
    )
  }

  writeRaw(content: string | Uint8Array): void {
    const path = join(this.contentDir, 'datasets.xml')
    writeFileSync(`${path}.new`, content)
    renameSync(`${path}.new`, path)
  }

  flag(kind: FlagKind, id: string): void {
    writeFileSync(join(this.bigParentDir, kind, id), '')
  }

  /** Starts it, and waits until its first major load has ended. */
  async start(options: Partial<ErddapOptions> = {}): Promise<Erddap> {
    const { contentDir, bigParentDir } = this
    const erddap = await startErddap({ contentDir, bigParentDir, pollMs: 10, loadMs: 0, wrongKeyMs: 0, ...options })
    onTestFinished(() => erddap.close())
    await until('the first major load has ended', () => erddap.stats.loads[0]?.finishedAtMs !== undefined)
    return erddap
  }

  /** Sets one flag, and waits for the end of the load it causes. */
  async flagged(erddap: Erddap, kind: FlagKind, id: string): Promise<void> {
    const before = erddap.stats.loads.length
    this.flag(kind, id)
    await until(`${kind} of ${id} is done`, () =>
      erddap.stats.loads
        .slice(before)
        .some((load) => load.flagged?.includes(id) === true && load.finishedAtMs !== undefined),
    )
  }
}

/** A dataset that loads always, as it reads nothing of this machine. */
export function remote(id: string, title: string, extra = ''): string {
  return `<dataset type="EDDGridFromDap" datasetID="${id}">
  <sourceUrl>https://example.org/dap/${id}</sourceUrl>
  ${extra}
  <addAttributes>
    <att name="title">${title}</att>
  </addAttributes>
</dataset>`
}

/** A dataset that needs files in `fileDir`. */
export function files(id: string, title: string, fileDir: string, extra = ''): string {
  return `<dataset type="EDDTableFromAsciiFiles" datasetID="${id}" active="true">
  <fileDir>${fileDir}</fileDir>
  <fileNameRegex>.*\\.csv</fileNameRegex>
  ${extra}
  <addAttributes>
    <att name="title">${title}</att>
  </addAttributes>
  <dataVariable>
    <sourceName>value</sourceName>
    <dataType>float</dataType>
    <addAttributes><att name="units">m</att></addAttributes>
  </dataVariable>
</dataset>`
}

/** Titles as the stand-in's own pages say them; undefined for a dataset that is not served. */
export async function servedTitle(erddap: Erddap, id: string): Promise<string | undefined> {
  const response = await fetch(`${erddap.url}/info/${id}/index.json`)
  if (response.status !== 200) return undefined
  const { table } = (await response.json()) as { table: { rows: string[][] } }
  return table.rows.find((row) => row[1] === 'NC_GLOBAL' && row[2] === 'title')?.[4]
}

export async function text(erddap: Erddap, path: string): Promise<string> {
  return await (await fetch(`${erddap.url}/${path}`)).text()
}
