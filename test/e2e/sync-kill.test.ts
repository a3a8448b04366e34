import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import { run, type Running, start } from '../helpers/program.ts'
import { longest } from '../helpers/soak.ts'

/** Both sides are processes of their own, and are killed as by `kill -9`. */
vi.setConfig({ testTimeout: longest(300_000) })

const isSoak = process.env['FLOTILLA_SOAK'] === '1'
const MIB = 1024 * 1024
const BLOCK = 8 * MIB
const LARGE = (isSoak ? 1024 : 64) * MIB
const SMALL = isSoak ? 20_000 : 1500
const KILLS = isSoak ? 40 : 4

class Pair {
  readonly folder = temporaryFolder()
  readonly data = join(this.folder, 'data')
  readonly to = join(this.folder, 'to')
  readonly #env = { XDG_STATE_HOME: join(this.folder, 'state') }
  #server: Running | undefined
  #listen = '127.0.0.1:0'
  url = ''

  async serve(): Promise<void> {
    const serving = start(['files', 'serve', '--tree', `data=${this.data}`, '--listen', this.#listen], {
      cwd: this.folder,
      env: this.#env,
    })
    this.#server = serving
    onTestFinished(async () => void (await serving.stop('SIGKILL')))
    const [, url = ''] = await serving.line(/^files +(http:\S+)$/)
    this.url = url
    this.#listen = new URL(url).host
  }

  async killServer(): Promise<void> {
    await this.#server?.stop('SIGKILL')
  }

  begin(...args: readonly string[]): Running {
    const syncing = start(this.#args(args), { cwd: this.folder, env: this.#env })
    onTestFinished(async () => void (await syncing.stop('SIGKILL')))
    return syncing
  }

  async sync(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const ran = await run([...this.#args(args), '--json'], { cwd: this.folder, env: this.#env })
    const last = ran.stdout.trim().split('\n').at(-1) ?? ''
    expect(ran.code, ran.stderr).toBe(0)
    return JSON.parse(last) as Record<string, unknown>
  }

  async listed(key: string, size: number): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.url}/data/${key}`, { method: 'HEAD' })
      if (answer.headers.get('content-length') === String(size)) return
      await delay(50)
    }
  }

  /** Bytes of the large file that are here already. */
  progress(): number {
    const folder = join(this.to, '.flotilla-state')
    const name = existsSync(folder) ? readdirSync(folder).find((one) => one.startsWith('part-')) : undefined
    if (name === undefined) return 0
    const counters = readFileSync(join(folder, name)).subarray(8192)
    let sum = 0
    for (let at = 0; at + 4 <= counters.byteLength; at += 4) sum += counters.readUInt32LE(at)
    return sum
  }

  #args(args: readonly string[]): readonly string[] {
    return ['sync', '--from', `${this.url}/data`, '--to', this.to, ...args]
  }
}

function pattern(bytes: number): Buffer {
  const content = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 4096) content.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
  return content
}

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

test('killed at half of a large file, what is here does not travel again but for a block', async () => {
  const pair = new Pair()
  mkdirSync(pair.data)
  writeFileSync(join(pair.data, 'large'), pattern(LARGE))
  await pair.serve()
  await pair.listed('large', LARGE)
  // Half of it takes long enough for a test that has to wait for its turn to see that it is half.
  const syncing = pair.begin('--bwlimit', `${LARGE / MIB / (isSoak ? 16 : 4)}M`)
  while (pair.progress() < LARGE / 2) await delay(5)
  await syncing.stop('SIGKILL')
  const here = pair.progress()
  expect(existsSync(join(pair.to, 'large'))).toBe(false)
  const { travelled } = await pair.sync()
  expect(Number(travelled)).toBe(LARGE - here)
  expect(Number(travelled)).toBeLessThanOrEqual(LARGE / 2 + BLOCK)
  expect(hashOf(join(pair.to, 'large'))).toBe(hashOf(join(pair.data, 'large')))
  expect(readdirSync(pair.to).toSorted()).toEqual(['.flotilla-state', 'large'])
})

test('killed again and again, both sides, no file is ever visible that is not whole', async () => {
  const pair = new Pair()
  const expected = new Map<string, string>()
  for (let index = 0; index < SMALL; index++) {
    const key = `d${index % 40}/f${index}`
    mkdirSync(join(pair.data, `d${index % 40}`), { recursive: true })
    writeFileSync(join(pair.data, key), `${index} `.repeat(500))
    expected.set(key, `${index} `.repeat(500))
  }
  await pair.serve()
  await pair.listed(`d39/f${SMALL - (SMALL % 40 === 0 ? 1 : (SMALL % 40) + 1)}`, 500 * `${SMALL - 1} `.length)
  const check = (): number => {
    let count = 0
    for (const [key, text] of expected) {
      const path = join(pair.to, key)
      if (!existsSync(path)) continue
      count += 1
      expect(readFileSync(path, 'utf8') === text, `${key} is whole`).toBe(true)
    }
    return count
  }
  for (let kill = 0, before = 0; kill < KILLS && before < SMALL; kill++) {
    const syncing = pair.begin('--bwlimit', '4M')
    const most = before + SMALL / (2 * KILLS)
    while (count(pair.to) < most && syncing.child.exitCode === null) await delay(5)
    if (kill % 2 === 0) await syncing.stop('SIGKILL')
    else {
      await pair.killServer()
      await pair.serve()
      await syncing.stop('SIGKILL')
    }
    before = check()
  }
  await pair.sync()
  expect(check()).toBe(SMALL)
  const litter = readdirSync(pair.to, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.includes('.flotilla-tmp-'),
  )
  expect(litter).toEqual([])
})

/** Files below the folder, ours aside. */
function count(folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder)
    .filter((name) => name.startsWith('d'))
    .reduce(
      (sum, name) => sum + (statSync(join(folder, name)).isDirectory() ? readdirSync(join(folder, name)).length : 0),
      0,
    )
}
