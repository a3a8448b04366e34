import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DATASET_ID } from '../definition/dataset-id.ts'
import { readFragment } from '../definition/fragment.ts'

/** One ERDDAP as its files show it. Secrets are in it as hashes only, to be compared. */
export interface Installation {
  readonly contentDirectory: string
  /** As setup.xml says, or was found. */
  readonly bigParentDirectory: string | undefined
  /** SHA-256 by name of what setup.xml sets. */
  readonly setup: ReadonlyMap<string, string>
  readonly baseUrl: string | undefined
  readonly datasetsXml: Definitions | undefined
  /** Whether ERDDAP last read what now is datasets.xml; undefined where there is no copy to tell by. */
  readonly hasReadIt: boolean | undefined
  /** Flags that lie there. */
  readonly flags: number
  /** Bytes of its rotated logs. */
  readonly logBytes: number
}

export interface Definitions {
  readonly bytes: number
  readonly datasets: ReadonlyMap<string, { readonly digest: string; readonly active: boolean; readonly type: string }>
  /** SHA-256 by name and count of the settings at the top. */
  readonly settings: ReadonlyMap<string, string>
  /** What ERDDAP, or a release, would stumble over; the first of each kind. */
  readonly findings: readonly string[]
  /** Ids that are there twice: ERDDAP uses the first. */
  readonly twice: readonly string[]
}

const BYTES_MAX = 128 * 1024 * 1024
const FINDINGS_MAX = 20
const NAME_BYTES = 100

export async function survey(contentDirectory: string, parents: readonly string[]): Promise<Installation> {
  const setup = settingsOf(await read(join(contentDirectory, 'setup.xml')))
  const named = setup.get('bigParentDirectory')?.replace(/\/+$/, '')
  const bigParentDirectory = named ?? (parents.length === 1 ? parents[0] : undefined)
  const bytes = await readBytes(join(contentDirectory, 'datasets.xml'))
  const reading =
    bigParentDirectory === undefined ? undefined : await readBytes(join(bigParentDirectory, 'currentDatasets.xml'))
  return {
    contentDirectory,
    bigParentDirectory,
    setup: new Map([...setup].map(([name, value]) => [name, hash(value)])),
    baseUrl: setup.get('baseUrl'),
    datasetsXml: bytes && (await definitionsOf(bytes)),
    hasReadIt: bytes && reading && bytes.equals(reading),
    flags: await countFlags(bigParentDirectory),
    logBytes: await logBytes(bigParentDirectory),
  }
}

async function definitionsOf(bytes: Buffer): Promise<Definitions> {
  const fragment = await readFragment(bytes)
  const datasets = new Map<string, { digest: string; active: boolean; type: string }>()
  const twice: string[] = []
  for (const { id, digest, active, type } of fragment.datasets) {
    if (datasets.has(id)) twice.push(id)
    else datasets.set(id, { digest, active, type })
  }
  const counts = new Map<string, number>()
  const settings = fragment.settings.map(({ canonical, start }): [string, string] => {
    const text = Buffer.from(fragment.bytes.subarray(start, start + NAME_BYTES)).toString('latin1')
    const name = /^<([\w.-]+)/.exec(text)?.[1] ?? 'setting'
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return [count === 1 ? name : `${name} (${count})`, hash(canonical)]
  })
  // What only an older ERDDAP would refuse is nothing to report: which one runs here is not known.
  const certain = fragment.findings.filter(({ since }) => since === undefined)
  const findings = certain.map(({ code, line, message }) => `line ${line}: ${message} [${code}]`)
  return {
    bytes: bytes.length,
    datasets,
    settings: new Map(settings),
    findings: findings.slice(0, FINDINGS_MAX),
    twice,
  }
}

/** A setup.xml is flat; a parser for it would see no more. */
function settingsOf(xml: string): ReadonlyMap<string, string> {
  const text = xml.replaceAll(/<!--.*?-->/gs, '')
  const found = [...text.matchAll(/<([A-Za-z]\w{0,80})>([^<]*)<\/\1>/g)]
  return new Map(found.map(([, name = '', value = '']) => [name, value.trim()]))
}

async function countFlags(bigParentDirectory: string | undefined): Promise<number> {
  if (bigParentDirectory === undefined) return 0
  const folders = ['flag', 'hardFlag', 'badFilesFlag'].map(
    async (name) => await readdir(join(bigParentDirectory, name)).catch(() => []),
  )
  return (await Promise.all(folders)).flat().filter((name) => DATASET_ID.test(name)).length
}

async function logBytes(bigParentDirectory: string | undefined): Promise<number> {
  if (bigParentDirectory === undefined) return 0
  const folder = join(bigParentDirectory, 'logs')
  let bytes = 0
  for (const name of await readdir(folder).catch(() => [])) {
    bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0
  }
  return bytes
}

async function read(path: string): Promise<string> {
  return (await readBytes(path))?.toString('utf8') ?? ''
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() === true && found.size <= BYTES_MAX ? await readFile(path).catch(() => undefined) : undefined
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
