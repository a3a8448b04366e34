import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { onTestFinished } from 'vitest'
import { parseXml, writeXml } from './xml.ts'

/** One request of the recorded session, what came back, and what became of the data directory. */
export interface Recorded {
  readonly label: string
  readonly request: {
    readonly method: string
    readonly url: string
    readonly type?: string
    readonly body?: string | { readonly base64: string }
  }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
  readonly changed: Readonly<Record<string, { readonly op: 'A' | 'M' | 'D'; readonly text?: string }>>
}

export function readSession(fixtures: string): readonly Recorded[] {
  const lines = readFileSync(join(fixtures, 'geoserver/rest-2.26.2/session.jsonl'), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Recorded)
}

/** The text a request left in a file; the recording has it. */
function left(session: readonly Recorded[], label: string, path: string): string {
  const text = session.find((one) => one.label === label)?.changed[path]?.text
  if (text === undefined) throw new Error(`the recording has no ${path} after ${label}`)
  return text
}

/**
 * The data directory as it was before the session: the one kept is from after it, so what the session left behind is
 * undone, by what its own first requests read. Gone when the test ends.
 */
export function directoryBefore(fixtures: string, session: readonly Recorded[]): string {
  const root = mkdtempSync(join(tmpdir(), 'standin-geoserver-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  cpSync(join(fixtures, 'geoserver/live-2.26.2/datadir'), root, { recursive: true })
  const read = (url: string): string => session.find((one) => one.request.url === url)?.response.body ?? ''
  const write = (path: string, text: string): void => writeFileSync(join(root, path), text)
  write('global.xml', read('/rest/settings.xml'))
  const logging = JSON.parse(read('/rest/logging.json')) as { logging: Record<string, unknown> }
  const fields = Object.entries(logging.logging).map(([name, value]) => `<${name}>${String(value)}</${name}>`)
  write('logging.xml', writeXml(parseXml(`<logging>${fields.join('')}</logging>`)))
  rmSync(join(root, 'security/urlchecks.xml'))
  const roles = left(session, 'role del', 'security/role/default/roles.xml')
  write('security/role/default/roles.xml', roles.replace(/\s*<userRoles username="rec-user"\/>/, ''))
  write('security/usergroup/default/users.xml', left(session, 'user del', 'security/usergroup/default/users.xml'))
  const listing = JSON.parse(read('/rest/resource?format=json')) as {
    ResourceDirectory: { children: { child: readonly { name: string }[] } }
  }
  for (const { name } of listing.ResourceDirectory.children.child) {
    if (!existsSync(join(root, name))) mkdirSync(join(root, name))
  }
  return root
}

function pick(text: string, names: readonly string[]): string {
  const picked = parseXml(text).children.filter(({ name }) => names.includes(name))
  return picked.map((one) => writeXml(one)).join('\n')
}

/** What GeoServer read from the shapefile and the raster of the session, which are not among the fixtures. */
export function dataOf(session: readonly Recorded[]): Readonly<Record<string, string>> {
  const boxes = ['srs', 'nativeBoundingBox', 'latLonBoundingBox', 'nativeCRS']
  const raster = `description metadata nativeFormat grid supportedFormats interpolationMethods
    defaultInterpolationMethod dimensions requestSRS responseSRS`.split(/\s+/)
  const shown = session.find(({ request }) => request.url.endsWith('/tasmania_cities.xml'))?.response.body ?? ''
  return {
    tasmania_cities:
      pick(shown, ['attributes']) +
      pick(left(session, 'featuretype', 'workspaces/rec/shp/cities/featuretype.xml'), boxes),
    precip30min: pick(left(session, 'coverage', 'workspaces/rec/arc/rain/coverage.xml'), [...boxes, ...raster]),
  }
}

/** Path → hash of every file. */
export function snapshot(root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [relative(root, path), createHash('sha256').update(readFileSync(path)).digest('hex')]
    }),
  )
}

/** What is added, modified, deleted from one snapshot to the next. */
export function changes(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Readonly<Record<string, 'A' | 'M' | 'D'>> {
  const found: Record<string, 'A' | 'M' | 'D'> = {}
  for (const [path, hash] of after) {
    const was = before.get(path)
    if (was !== hash) found[path] = was === undefined ? 'A' : 'M'
  }
  for (const path of before.keys()) if (!after.has(path)) found[path] = 'D'
  return found
}

const RANDOM = /\w+InfoImpl-[-0-9a-f]+[:_][0-9a-f]+[:_]-?[0-9a-f]+|digest1:[\w+/=]+/g
const DATES =
  /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,3} UTC|#\w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}|\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g

/** Pairs ids and digests of the recording with those made here: each must stand for the same one everywhere. */
export class Pairs {
  readonly #ours = new Map<string, string>()
  readonly #taken = new Map<string, string>()

  /** Ids that stand in these texts, the same for both, stand for themselves. */
  constructor(texts: readonly string[]) {
    for (const id of texts.flatMap((text) => text.match(RANDOM) ?? [])) this.#pair(id, id)
  }

  /** Our text with the recording's ids, digests and dates in their places. */
  translate(ours: string, recorded: string): string {
    const theirs = recorded.match(RANDOM) ?? []
    let at = 0
    return this.undated(ours).replaceAll(RANDOM, (mine) => this.#pair(mine, theirs[at++] ?? 'more ids than recorded'))
  }

  undated(text: string): string {
    return text.replaceAll(DATES, 'DATE')
  }

  #pair(written: string, recorded: string): string {
    const [mine, theirs] = [written.replaceAll('_', ':'), recorded.replaceAll('_', ':')]
    const known = this.#ours.get(mine) ?? theirs
    const takenBy = this.#taken.get(theirs) ?? mine
    if (known !== theirs || takenBy !== mine) return `${mine} (recorded: ${theirs}, paired: ${known})`
    this.#ours.set(mine, theirs)
    this.#taken.set(theirs, mine)
    return recorded
  }

  /** A path of ours, with the ids in it that are paired already. */
  path(path: string): string {
    return path.replaceAll(RANDOM, (mine) => this.#ours.get(mine.replaceAll('_', ':'))?.replaceAll(':', '_') ?? mine)
  }
}
