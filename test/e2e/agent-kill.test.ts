import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { remote } from '../../standin/erddap/test-kit.ts'
import { HubClient } from '../../src/client/hub-client.ts'
import { Secret } from '../../src/lib/secret.ts'
import { crashPoints, runUntil, someOf } from '../helpers/crash.ts'
import { temporaryFolder, writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { run, start } from '../helpers/program.ts'

const PROGRAM = join(import.meta.dirname, '../../src/bin.ts')

/** A hub as a process, and one node's folders, which are in step with release 1. */
class Stage {
  readonly folder = temporaryFolder()
  readonly node = join(this.folder, 'node')
  readonly file = join(this.node, 'content/datasets.xml')
  readonly agent = ['agent', '--config', join(this.node, 'agent.yaml'), '--once', '--timeout', '60s', '--json']
  env: Record<string, string> = {}

  async open(): Promise<void> {
    const hub = start(['up', '--data', join(this.folder, 'hub'), '--listen', '127.0.0.1:0'], { cwd: this.folder })
    onTestFinished(async () => void (await hub.stop()))
    const [, url = ''] = await hub.line(/^hub +(http:\S+)$/)
    const tokenFile = join(this.folder, 'hub/admin.token')
    this.env = { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: tokenFile }
    const client = new HubClient({ url, token: new Secret(readFileSync(tokenFile, 'utf8').trim()) })
    const { code } = await client.createJoinCode()
    const { token } = await client.join({ code, node: 'erd1' })
    client.close()
    for (const each of ['content', 'data']) mkdirSync(join(this.node, each), { recursive: true })
    writeFileSync(join(this.node, 'credential'), token, { mode: 0o600 })
    const target = {
      kind: 'erddap',
      contentDirectory: join(this.node, 'content'),
      bigParentDirectory: join(this.node, 'data'),
    }
    // JSON is YAML.
    writeFileSync(
      join(this.node, 'agent.yaml'),
      JSON.stringify({ node: 'erd1', hub: url, targets: { datasets: target } }),
    )
  }

  async release(files: Readonly<Record<string, string>>): Promise<void> {
    const source = join(this.folder, 'datasets.d')
    rmSync(source, { recursive: true, force: true })
    mkdirSync(source)
    writeFiles(source, files)
    const { code, stderr } = await run(['datasets', 'release', source, '-m', 'x'], this)
    expect(code, stderr).toBe(0)
  }

  get cwd(): string {
    return this.folder
  }

  /** Brings the node in step, undisturbed; answers what it wrote. */
  async inStep(): Promise<string> {
    const { code, stdout, stderr } = await run(this.agent, this)
    expect(code, stdout + stderr).toBe(0)
    return readFileSync(this.file, 'utf8')
  }
}

const test = await needs({ tools: ['strace'] })

test(
  'an agent killed at any system call that lasts leaves a whole file, and the next one gets the node in step',
  { timeout: 1_800_000 },
  async () => {
    const stage = new Stage()
    await stage.open()
    await stage.release({ 'a.xml': remote('a', 'A'), 'b.xml': remote('b', 'B') })
    const first = await stage.inStep()
    const before = join(stage.folder, 'before')
    cpSync(stage.node, before, { recursive: true })
    const reset = (): void => {
      rmSync(stage.node, { recursive: true, force: true })
      cpSync(before, stage.node, { recursive: true })
    }
    await stage.release({ 'a.xml': remote('a', 'A'), 'b.xml': remote('b', 'Better'), 'c.xml': remote('c', 'C') })
    const second = await stage.inStep()
    expect(second).toContain('Better')
    reset()
    const points = await crashPoints(PROGRAM, stage.agent)
    expect(points.length).toBeGreaterThan(40)
    let applied = 0
    for (const point of someOf(points, 3)) {
      reset()
      await runUntil(point, PROGRAM, stage.agent)
      const left = readFileSync(stage.file, 'utf8')
      expect([first, second].includes(left), `a torn file after ${JSON.stringify(point)}`).toBe(true)
      if (left === second) applied += 1
      expect(await stage.inStep(), JSON.stringify(point)).toBe(second)
    }
    expect(applied, 'some points come after the new file').toBeGreaterThan(0)
  },
)
