import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { until } from '../helpers/catalog-servers.ts'
import { commandLines, ROOT } from '../helpers/documents.ts'
import { fixedPort } from '../helpers/fixed-port.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { idsWith, smallDirectory } from '../helpers/geoserver-directory.ts'
import { run, type Running, start } from '../helpers/program.ts'

const GUIDE = 'docs/how-to/geoserver-cluster.md'
const STANDIN = 'standin/geoserver/main.ts'

interface AgentFile {
  readonly targets: { readonly catalog: Readonly<Record<string, unknown>> }
}

/** Servers of which each has its folders below one, as the guide has them below `/`. */
class Machines {
  readonly folder = temporaryFolder()
  readonly running: Running[] = []
  readonly ports = new Map<string, number>()
  env: Record<string, string> = {}
  code = ''

  /** What is typed on that machine: its paths and addresses in the place of those of the guide. */
  own(words: readonly string[], machine: string): readonly string[] {
    const at = join(this.folder, machine)
    return words.map((word) =>
      word
        .replace('http://HUB:8470', this.env['FLOTILLA_URL'] ?? '')
        .replace(/^CODE$/, this.code)
        .replace('0.0.0.0:8470', '127.0.0.1:0')
        .replace('127.0.0.1:8080', `127.0.0.1:${this.ports.get(machine)}`)
        .replace(/^\/(?:var|srv|etc)\//, `${at}/`)
        .replace(/^checkout$/, join(this.folder, 'checkout')),
    )
  }

  launch(argv: readonly string[], script?: string): Running {
    const program = start(argv, { cwd: this.folder, env: this.env }, script)
    this.running.push(program)
    return program
  }

  async must(words: readonly string[], machine: string, codes: readonly (number | null)[] = [0]): Promise<string> {
    const { code, stdout, stderr } = await run(this.own(words, machine), { cwd: this.folder, env: this.env })
    expect(codes, `flotilla ${words.join(' ')}:\n${stdout}${stderr}`).toContain(code)
    return stdout
  }

  /** With something on the standard input. */
  async answer(words: readonly string[], machine: string, input: string): Promise<void> {
    const child = spawn(process.execPath, [join(ROOT, 'src/bin.ts'), ...this.own(words, machine)], {
      env: { ...process.env, ...this.env },
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    child.stdin.end(input)
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(0)
  }

  async startGeoServer(machine: string): Promise<void> {
    const data = join(this.folder, machine, 'geoserver_data')
    const port = String(this.ports.get(machine))
    const quick = ['--reload-ms', '20', '--style-ms', '5', '--file-ms', '5']
    await this.launch(['--data-directory', data, '--port', port, ...quick], STANDIN).line(/^http:\S+$/)
  }

  async inStep(): Promise<void> {
    await until('in step', async () => {
      const { code, stdout } = await run(['catalog', 'status'], { cwd: this.folder, env: this.env })
      return code === 0 ? undefined : stdout
    })
  }

  /** What the guide tells to write into the configuration of a replica. */
  report(machine: string): void {
    const [, yaml = ''] = /^```yaml\n(.*?)^```/ms.exec(readFileSync(join(ROOT, GUIDE), 'utf8')) ?? []
    const told = parse(yaml) as AgentFile
    const file = join(this.folder, machine, 'lib/flotilla-agent/agent.yaml')
    const config = parse(readFileSync(file, 'utf8')) as AgentFile
    const catalog = { ...config.targets.catalog, foreign: told.targets.catalog['foreign'] }
    writeFileSync(file, stringify({ ...config, targets: { catalog } }), { mode: 0o600 })
  }

  data(machine: string, path: string): string {
    return join(this.folder, machine, 'geoserver_data', path)
  }
}

async function machines(): Promise<Machines> {
  const all = new Machines()
  onTestFinished(async () => await Promise.all(all.running.map(async (one) => await one.stop())).then(() => undefined))
  for (const name of ['geo1', 'geo2']) {
    all.ports.set(name, await fixedPort())
    mkdirSync(join(all.folder, name, 'flotilla'), { recursive: true })
    writeFileSync(join(all.folder, name, 'flotilla/geoserver.password'), 'geoserver\n', { mode: 0o600 })
  }
  for (const [path, text] of smallDirectory(idsWith('one'))) {
    mkdirSync(join(all.data('geo1', path), '..'), { recursive: true })
    writeFileSync(all.data('geo1', path), text.replace(/\s*<entry key="passwd">[^<]*<\/entry>/, ''))
  }
  return all
}

const sld = (name: string) => `<StyledLayerDescriptor version="1.0.0"><Name>${name}</Name></StyledLayerDescriptor>`

test('every command of the guide from scratch does what it says', { timeout: 240_000 }, async () => {
  const all = await machines()
  const lines = commandLines(readFileSync(join(ROOT, GUIDE), 'utf8')).filter(({ whole }) => whole)
  let machine = 'geo1'
  let provisioning: Running | undefined
  const done: string[] = []
  for (const { words } of lines) {
    const [first = '', second = ''] = words
    const name = ['catalog', 'token'].includes(first) ? `${first} ${second}` : first
    done.push(name)
    switch (name) {
      case 'up': {
        const hub = all.launch(all.own(words, 'hub'))
        const [, url = ''] = await hub.line(/^hub +(http:\S+)$/)
        all.env = { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: join(all.folder, 'hub/lib/flotilla/admin.token') }
        break
      }
      case 'token join-code':
        all.code = (await all.must(words, 'hub')).split('\n')[0] ?? ''
        break
      case 'join':
        machine = words[words.indexOf('--node') + 1] ?? ''
        if (machine === 'geo1') await all.startGeoServer(machine)
        else all.code = (await all.must(['token', 'join-code'], 'hub')).split('\n')[0] ?? ''
        await all.must(words, machine)
        break
      case 'catalog provision':
        provisioning = all.launch(all.own(words, machine))
        break
      case 'catalog share-keystore': {
        const [, code = ''] = (await provisioning?.line(/this code: (\S+)/)) ?? []
        await all.answer(words, 'geo1', `${code}\n`)
        await provisioning?.line(/has r1/)
        await all.startGeoServer(machine)
        break
      }
      case 'agent':
        if (machine === 'geo2') all.report('geo2')
        all.launch(all.own(words, machine))
        await all.inStep()
        break
      case 'catalog revert':
        await until('told', async () => {
          const seen = await run(['catalog', 'status'], { cwd: all.folder, env: all.env })
          return seen.stdout.includes('of its own') ? undefined : seen.stdout
        })
        await all.must(words, machine)
        await all.inStep()
        break
      case 'catalog plan':
        cpSync(all.data('geo1', ''), join(all.folder, 'checkout'), { recursive: true })
        writeFileSync(join(all.folder, 'checkout/styles/burg.sld'), sld('blue'))
        expect(await all.must(words, machine)).toContain('over REST, through their style, live: file/styles/burg.sld')
        break
      default:
        await all.must(words, machine, words.includes('--node') ? [0, 3] : [0])
    }
    if (name === 'catalog truncate') {
      // What the next section is about.
      writeFileSync(all.data('geo2', 'workspaces/w1/styles/mine.svg'), '<svg/>')
    }
  }
  expect(done).toEqual(expect.arrayContaining(['adopt', 'doctor', 'catalog why', 'catalog reload', 'catalog apply']))
  await all.inStep()
  for (const each of ['geo1', 'geo2']) expect(readFileSync(all.data(each, 'styles/burg.sld'), 'utf8')).toBe(sld('blue'))
})
