import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const LONGEST_MS = 300_000

/** Files to be put, as they lie in a folder. */
export interface Upload {
  readonly folder: string
  /** Below the folder. */
  readonly paths: readonly string[]
  readonly bytes: number
}

export function uploadOf(folder: string): Upload {
  const paths = filesBelow(folder)
  return { folder, paths, bytes: paths.reduce((sum, path) => sum + statSync(join(folder, path)).size, 0) }
}

export interface UploadOptions {
  readonly connections: number
  readonly query?: string
  /** Of children, in lines of an answer that is a success as a whole. */
  readonly mayTellErrors?: boolean
}

/**
 * Puts the files over so many connections, each by a curl of its own that sends one after the other: it costs the processors next to nothing.
 * Answers the seconds until the last was acknowledged. Rejects where one was refused, or an answer tells of an error.
 */
export async function upload(
  { folder, paths }: Upload,
  url: string,
  { connections, query = '', mayTellErrors = false }: UploadOptions,
): Promise<number> {
  const files = Array.from({ length: connections }, (_, connection) => {
    const own = paths.filter((_path, index) => index % connections === connection)
    const lines = own.map((path) => `upload-file = "${join(folder, path)}"\nurl = "${url}${path}${query}"\n`)
    const config = join(folder, `../curl-${connection}`)
    // Without it curl asks, before each file, whether it may.
    writeFileSync(
      config,
      `silent\nshow-error\nfail-with-body\nheader = "Expect:"\nwrite-out = "status %{http_code}\\n"\n${lines.join('')}`,
    )
    return config
  })
  const began = performance.now()
  await Promise.all(files.map(async (config) => curl(config, mayTellErrors)))
  return (performance.now() - began) / 1000
}

async function curl(config: string, mayTellErrors: boolean): Promise<void> {
  const running = spawn('curl', ['-K', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  running.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [code] = (await once(running, 'close')) as [number | null]
  const [other] = /^status (?!201$).*/m.exec(said) ?? []
  const error = other ?? (mayTellErrors ? undefined : /^error.*/m.exec(said)?.[0])
  if (code !== 0 || (error !== undefined && !mayTellErrors))
    throw new Error(`curl ended with ${code}: ${error ?? said.slice(0, 500)}`)
}

/** Paths of the files in a folder, in order, but for those of the service itself. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => relative(folder, join(one.parentPath, one.name)))
    .filter((path) => !path.includes('.flotilla-'))
    .toSorted()
}

/** Throws where a folder has not the very files that were put: names, and SHA-256 of each. */
export function expectCopies(folders: readonly string[], { folder, paths }: Upload): void {
  for (const path of paths) {
    const expected = hashOf(join(folder, path))
    for (const copy of folders) {
      if (hashOf(join(copy, path)) !== expected) throw new Error(`${join(copy, path)} is not what was put`)
    }
  }
  for (const copy of folders) {
    if (filesBelow(copy).length !== paths.length) throw new Error(`${copy} has other files than were put`)
  }
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** Resolves when all of these files are in a folder; answers the seconds. Only such files may appear there as are whole. */
export async function untilThere(folder: string, paths: readonly string[]): Promise<number> {
  const began = performance.now()
  const left = [...paths]
  for (;;) {
    for (let last = left.at(-1); last !== undefined && existsSync(join(folder, last)); last = left.at(-1)) left.pop()
    if (left.length === 0) return (performance.now() - began) / 1000
    if (performance.now() - began > LONGEST_MS) throw new Error(`${folder} has no ${left.at(-1)} after all that time`)
    await delay(5)
  }
}
