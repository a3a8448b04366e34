import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { temporaryFolder, writeFiles } from '../../test/helpers/folder.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { Json } from '../core/json-patch/json.ts'
import { silent } from '../core/log.ts'
import type { Entry } from '../core/store.ts'
import type { NodeRendered } from '../core/templates/report.ts'
import { Secret } from '../lib/secret.ts'
import { TemplateKeeper } from './keeper.ts'
import { factsOf } from './known-profiles.ts'
import { renderedSet, type SetSettings } from './rendered-set.ts'
import { TokenBook } from './tokens.ts'

/** A node with one entry of the configuration, whose profiles the test writes. */
class Setup {
  readonly folder = temporaryFolder()
  readonly out = join(this.folder, 'out')
  readonly clock = new VirtualClock()
  readonly kept = new Map<string, string>()
  readonly minted: string[] = []
  readonly reports: NodeRendered[] = []
  readonly entries = new Map<string, Entry>()
  mintFails = false
  keeper: TemplateKeeper

  constructor(settings: Partial<SetSettings> = {}) {
    mkdirSync(this.out)
    this.keeper = this.restart(settings)
  }

  /** A process after this one: what it knows is on the disk. */
  restart(settings: Partial<SetSettings> = {}): TemplateKeeper {
    const keep = {
      load: (name: string) => Promise.resolve(this.kept.get(name)),
      save: (name: string, text: string) => Promise.resolve(void this.kept.set(name, text)),
    }
    const tokens = new TokenBook({
      keep,
      clock: this.clock,
      log: silent,
      mint: async ({ profile, params }) => {
        await Promise.resolve()
        if (this.mintFails) throw new Error('the hub is away')
        this.minted.push([profile, ...params].join(' '))
        return { id: `t${this.minted.length}`, token: new Secret(`flt_${this.minted.length}`) }
      },
    })
    const common = { name: 'x', from: join(this.folder, 'a.conf.tmpl'), to: join(this.out, 'a.conf'), mode: 0o644 }
    const node = { name: 'n1', values: { password: 'p4ss' } }
    const facts = () => factsOf({ entries: this.entries, node, profiles: ['web'], apiUrl: 'http://hub' })
    const set = renderedSet({ ...common, ...settings }, { tokens, keep, facts })
    this.keeper = new TemplateKeeper({
      sets: [set],
      dueInMs: (wishes) => tokens.dueInMs(wishes),
      tell: (rendered) => this.reports.push(rendered),
      clock: this.clock,
      log: silent,
      random: () => 0,
      intervalMs: 30_000,
    })
    return this.keeper
  }

  template(text: string, name = 'a.conf.tmpl'): void {
    writeFiles(this.folder, { [name]: text })
  }

  set(params: { readonly [name: string]: Json }, profile = 'web', profiles: readonly string[] = []): void {
    const key = `profile/${profile}`
    const value = JSON.stringify({
      name: profile,
      description: '',
      meta: { color: 'green' },
      params,
      profiles,
      version: 1,
    })
    this.entries.set(key, { key, value, revision: 1 })
  }

  async round(): Promise<NodeRendered | undefined> {
    this.pauseMs = await this.keeper.round(new AbortController().signal)
    return this.reports.at(-1)
  }
  pauseMs = 0

  read(name = 'a.conf'): string {
    return readFileSync(join(this.out, name), 'utf8')
  }

  mode(name = 'a.conf'): number {
    return statSync(join(this.out, name)).mode & 0o777
  }
}

/** Appends a line to `log` in the folder for each run, and what the file held then. */
const noting = (at: Setup): readonly string[] => ['sh', '-c', 'cat "$1" >> "$2"', 'sh', '{}', join(at.folder, 'log')]

test('a file is made of params of the node, of its profiles and of the defaults, and follows them', async () => {
  const at = new Setup()
  at.template(
    '{{ param "a" }} {{ param "b" }} {{ param "c" }} {{ param "d" }} {{ node.name }} {{ profile.meta.color }}\n',
  )
  at.set({ a: 'web', b: 'web' }, 'web', ['base'])
  at.set({ b: 'base', c: 'base' }, 'base')
  at.set({ a: 'own' }, 'node.n1')
  const key = `param/${encodeURIComponent('d')}`
  at.entries.set(key, { key, value: JSON.stringify({ name: 'd', description: '', default: 4 }), revision: 1 })
  expect(await at.round()).toMatchObject({ state: 'in-step', files: 1, inStep: 1, failed: [] })
  expect(at.read()).toBe('own web base 4 n1 green\n')
  expect(at.mode()).toBe(0o644)
  at.set({ a: 'other' }, 'node.n1')
  await at.round()
  expect(at.read()).toBe('other web base 4 n1 green\n')
})

test('the after command runs once for each change, with the file in its place, and not for none', async () => {
  const at = new Setup()
  at.restart({ after: noting(at) })
  at.template('{{ param "a" }}\n')
  at.set({ a: 1 })
  await at.round()
  await at.round()
  at.set({ a: 2 })
  await at.round()
  await at.round()
  expect(readFileSync(join(at.folder, 'log'), 'utf8')).toBe('1\n2\n')
})

test('an after command that fails is told and run again; one that a crash cut off runs after the restart', async () => {
  const at = new Setup()
  const after = [
    'sh',
    '-c',
    'test -e "$1" && echo ran >> "$2"',
    'sh',
    join(at.folder, 'allowed'),
    join(at.folder, 'log'),
  ]
  at.restart({ after })
  at.template('x')
  at.set({})
  expect(await at.round()).toMatchObject({ state: 'failed', failed: [{ code: 'TEMPLATE_FAILED' }] })
  expect(at.read()).toBe('x')
  at.restart({ after })
  writeFileSync(join(at.folder, 'allowed'), '')
  expect(await at.round()).toMatchObject({ state: 'in-step' })
  await at.round()
  expect(readFileSync(join(at.folder, 'log'), 'utf8')).toBe('ran\n')
})

test('what the check refuses never takes its place: the last good file stays, and why is told once until something changes', async () => {
  const at = new Setup()
  const checks = join(at.folder, 'checks')
  const check = [
    'sh',
    '-c',
    'echo x >> "$2"; grep -q good "$1" || { echo "line 3 of $1 is bad"; exit 7; }',
    'sh',
    '{}',
    checks,
  ]
  at.restart({ check, after: noting(at) })
  at.template('{{ param "a" }}\n')
  at.set({ a: 'good' })
  expect(await at.round()).toMatchObject({ state: 'in-step' })
  at.set({ a: 'bad' })
  const to = join(at.out, 'a.conf')
  const failed = [{ to, code: 'TEMPLATE_FAILED', message: `sh ended with 7 for ${to}: line 3 of ${to} is bad` }]
  expect(await at.round()).toMatchObject({ state: 'failed', files: 1, inStep: 0, failed })
  expect(await at.round()).toMatchObject({ state: 'failed', failed })
  expect(readFileSync(checks, 'utf8')).toBe('x\nx\n')
  expect(at.read()).toBe('good\n')
  expect(readdirSync(at.out)).toEqual(['a.conf'])
  expect(readFileSync(join(at.folder, 'log'), 'utf8')).toBe('good\n')
  at.set({ a: 'good again' })
  expect(await at.round()).toMatchObject({ state: 'in-step', failed: [] })
  expect(at.read()).toBe('good again\n')
})

test('a missing value keeps the last good file, and is told with template, line and param', async () => {
  const at = new Setup()
  at.template('one\n{{ param "my/leader" }}\n')
  at.set({ 'my/leader': 'n1' })
  await at.round()
  at.set({})
  const report = await at.round()
  expect(report?.failed[0]).toMatchObject({
    template: 'a.conf.tmpl',
    line: 2,
    message: 'the param "my/leader" has no value',
  })
  expect(at.read()).toBe('one\nn1\n')
  expect(at.pauseMs).toBeLessThanOrEqual(1000)
})

test('who asks has what was refused tried again, also when there are news at the same time', async () => {
  const at = new Setup()
  at.restart({
    check: ['sh', '-c', 'test -e "$2"', 'sh', '{}', join(at.folder, 'ok')],
  })
  at.template('a\n')
  at.set({})
  expect((await at.round())?.state).toBe('failed')
  writeFiles(at.folder, { ok: '' })
  at.keeper.changed()
  at.keeper.look()
  const stop = new AbortController()
  const running = at.keeper.run(stop.signal)
  await vi.waitFor(async () => {
    await at.clock.advance(200)
    expect(at.reports.at(-1)?.state).toBe('in-step')
  })
  stop.abort()
  await running
})

test('a file that somebody edits, removes, opens to all or exchanges for a link is put right', async () => {
  const at = new Setup()
  at.template('right\n')
  at.set({})
  await at.round()
  const path = join(at.out, 'a.conf')
  const wrongs = [
    () => writeFileSync(path, 'wrong'),
    () => rmSync(path),
    () => chmodSync(path, 0o666),
    () => {
      rmSync(path)
      symlinkSync('/etc/hostname', path)
    },
  ]
  for (const wrong of wrongs) {
    wrong()
    await at.round()
    expect([at.read(), at.mode(), statSync(path).isFile()]).toEqual(['right\n', 0o644, true])
  }
  expect(readFileSync('/etc/hostname', 'utf8')).not.toBe('right\n')
})

test('a file with a secret is for its owner only, and what programs say of it is told to nobody', async () => {
  const at = new Setup()
  at.restart({ mode: 0o755, check: ['sh', '-c', 'cat "$1"; exit 1', 'sh', '{}'] })
  at.template('{{ node.values.password }}')
  at.set({})
  expect(JSON.stringify(await at.round())).not.toContain('p4ss')
  expect(at.reports.at(-1)).toMatchObject({ state: 'failed' })
  at.restart({ mode: 0o755 })
  await at.round()
  expect([at.read(), at.mode()]).toEqual(['p4ss', 0o700])
})

test('a token is made once, kept over restarts, and made anew when two thirds of its time are over', async () => {
  const at = new Setup()
  at.template('{{ generateProfileToken "web" 600 }} {{ generateProfileToken "web" 600 "my/leader" }}')
  at.set({})
  await at.round()
  await at.round()
  at.restart()
  await at.round()
  expect([at.read(), at.mode()]).toEqual(['flt_1 flt_2', 0o600])
  expect(at.minted).toEqual(['web', 'web my/leader'])
  expect(JSON.stringify(at.reports)).not.toContain('flt_')
  await at.clock.advance(390_000)
  await at.round()
  expect(at.minted).toHaveLength(2)
  expect(at.pauseMs).toBe(10_000)
  await at.clock.advance(10_000)
  await at.round()
  expect(at.read()).toBe('flt_3 flt_4')
})

test('while no token can be made the old one stays, and its end is told', async () => {
  const at = new Setup()
  at.template('{{ generateProfileToken "web" 600 }}')
  at.set({})
  await at.round()
  at.mintFails = true
  await at.clock.advance(500_000)
  expect(await at.round()).toMatchObject({ state: 'in-step' })
  await at.clock.advance(100_000)
  expect(await at.round()).toMatchObject({ state: 'failed', failed: [{ message: 'the hub is away' }] })
  expect(at.read()).toBe('flt_1')
  at.mintFails = false
  expect(await at.round()).toMatchObject({ state: 'in-step' })
  expect(at.read()).toBe('flt_2')
})

test('a folder of templates makes a folder of files; what starts with "_" is for including', async () => {
  const at = new Setup()
  at.restart({ from: join(at.folder, 'in'), to: at.out })
  writeFiles(at.folder, {
    'in/run.sh.tmpl': '#!/bin/sh\n{{ include "_lib/head" }}echo {{ param "a" }}\n',
    'in/b.conf': 'a = {{ param "a" }}\n',
    'in/_lib/head': 'x={{ param "a" }}\n',
    'in/.hidden': '{{',
  })
  at.set({ a: "it's" })
  expect(await at.round()).toMatchObject({ state: 'in-step', files: 2 })
  expect(readdirSync(at.out).toSorted()).toEqual(['b.conf', 'run.sh'])
  expect(at.read('run.sh')).toBe("#!/bin/sh\nx='it'\\''s'\necho 'it'\\''s'\n")
  expect(at.read('b.conf')).toBe("a = it's\n")
  writeFiles(at.folder, { 'in/c.conf': 'c' })
  expect(await at.round()).toMatchObject({ state: 'in-step', files: 3 })
  expect(at.read('c.conf')).toBe('c')
})

test('one file that fails holds up no other', async () => {
  const at = new Setup()
  at.restart({ from: join(at.folder, 'in'), to: at.out })
  writeFiles(at.folder, { 'in/a': '{{ param "gone" }}', 'in/b': 'b', 'in/sub/c': 'c' })
  at.set({})
  const report = await at.round()
  expect(report).toMatchObject({ state: 'failed', files: 3, inStep: 1 })
  expect(report?.failed.map(({ to }) => to)).toEqual([join(at.out, 'a'), join(at.out, 'sub/c')])
  expect(report?.failed[1]?.message).toBe(`there is no folder ${join(at.out, 'sub')}`)
  expect(at.read('b')).toBe('b')
})

test('nothing outside the folder of the templates is read, by name or by link', async () => {
  const at = new Setup()
  writeFiles(at.folder, { secret: 'top', 'in/a': 'a' })
  symlinkSync(join(at.folder, 'secret'), join(at.folder, 'in/link'))
  symlinkSync('a', join(at.folder, 'in/fine'))
  for (const name of ['../secret', join(at.folder, 'secret'), 'link', 'x/../../secret', '']) {
    at.restart({ from: join(at.folder, 'in/main') })
    writeFiles(at.folder, { 'in/main': `{{ include ${JSON.stringify(name)} }}` })
    const report = await at.round()
    expect(report?.failed[0]?.message).toBe(`there is no template "${name}"`)
  }
  writeFiles(at.folder, { 'in/main': '{{ include "fine" }}' })
  await at.round()
  expect(at.read()).toBe('a')
})

test('a template that is no text, or not there, is told', async () => {
  const at = new Setup()
  expect((await at.round())?.failed[0]?.message).toContain('there is no template')
  writeFileSync(join(at.folder, 'a.conf.tmpl'), Buffer.from([0xff, 0xfe]))
  expect((await at.round())?.failed[0]?.message).toContain('is no text in UTF-8')
  expect(existsSync(join(at.out, 'a.conf'))).toBe(false)
})
