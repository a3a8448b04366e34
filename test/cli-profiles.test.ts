import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from './helpers/cli.ts'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'

let hub: CliHub
let count = 0
beforeAll(async () => {
  hub = await startCliHub()
})
afterAll(() => hub.close())

async function made(json = '{}'): Promise<string> {
  const name = `p${count++}`
  expect(await hub.cli('profile', 'create', name, json)).toMatchObject({ code: 0 })
  return name
}

/** `profile set NAME param my/leader to x` as one line; no word here has a space. */
const run = (line: string) => hub.cli(...line.split(' '))

describe('flotilla profile', () => {
  it('creates once, shows, lists and deletes', async () => {
    expect(await run('profile create example')).toMatchObject({ code: 0, out: 'example: created, version 1\n' })
    const again = await run('profile create example')
    expect([again.code, again.err]).toEqual([5, expect.stringContaining('it is there already\n  now: it is {')])
    const shown = JSON.parse((await run('profile show example')).out) as object
    expect(shown).toMatchObject({ name: 'example', version: 1, params: {}, meta: {}, profiles: [] })
    expect((await run('profile list')).out).toContain('example')
    expect(await hub.cli('profile', 'create', '{"name": "whole", "params": {"a": 1}}')).toMatchObject({ code: 0 })
    expect((await run('profile get whole param a')).out).toBe('1\n')
    expect(await run('profile delete example')).toMatchObject({ code: 0 })
    expect(await run('profile show example')).toMatchObject({ code: 1 })
    expect((await run('profile history example')).out).toContain('delete')
  })

  it('compares and sets: one of many wins, the others exit with 5 and see what is there now', async () => {
    const name = await made('{"params": {"my/leader": "none"}}')
    expect((await run(`profile get ${name} param my/leader`)).out).toBe('none\n')
    const results = await Promise.all(
      ['a', 'b', 'c', 'd'].map((who) => run(`profile set ${name} param my/leader to ${who} -r none`)),
    )
    expect(results.map(({ code }) => code).toSorted((a, b) => a - b)).toEqual([0, 5, 5, 5])
    const winner = (await run(`profile get ${name} param my/leader`)).out.trim()
    for (const { err } of results.filter(({ code }) => code === 5)) {
      expect(err).toMatch(new RegExp(`now: /params/my~1leader is "${winner}"\n {2}revision: \\d+`))
    }
    const json = await run(`profile set ${name} param my/leader to me -r none --json`)
    expect(JSON.parse(json.err)).toMatchObject({ code: 'LOST_RACE', conflict: { actual: winner } })
  })

  it('says what to do about a definition that is there, and about a file that is no JSON', async () => {
    expect(await run('param create twice --default 1')).toMatchObject({ code: 0 })
    expect((await run('param create twice --default 2')).err).toMatch(/twice is defined already\n.*--replace/)
    const file = join(hub.folder, 'broken.json')
    writeFileSync(file, '[')
    const { code, err } = await hub.cli('txn', '-f', file)
    expect([code, err]).toEqual([2, expect.not.stringContaining('--string')])
  })

  it('takes an editor that is set to nothing for none', async () => {
    const name = await made()
    const env = { FLOTILLA_URL: hub.url, FLOTILLA_TOKEN_FILE: hub.tokenFile, VISUAL: '', EDITOR: 'true' }
    expect((await runCli(['profile', 'edit', name], { env, cwd: hub.folder })).code).toBe(0)
  })

  it('takes the reference before the command too, as scripts for drpcli have it', async () => {
    const name = await made('{"params": {"x": "none"}}')
    expect(await run(`-r none profile set ${name} param x to me`)).toMatchObject({ code: 0 })
    expect(await run(`-r none profile set ${name} param x to you`)).toMatchObject({ code: 5 })
    expect(await run(`-r me profile set ${name} -- param x to none`)).toMatchObject({ code: 0 })
    expect((await run('-r none status')).err).toContain('there is no option -r')
    expect((await run('-r none')).err).toContain('there is no option -r')
    expect((await run('-r none profile sett')).err).toContain('Did you mean "profile set"?')
  })

  it('gives what was read back to -r as it was printed, whatever it is', async () => {
    for (const value of ['5', '"5"', 'true', '"true"', '""', '[1, "a"]', 'a b', '-7', '{"a": null}']) {
      const name = await made()
      expect(await hub.cli('profile', 'set', name, 'param', 'x', 'to', value)).toMatchObject({ code: 0 })
      const seen = (await run(`profile get ${name} param x`)).out.replace(/\n$/, '')
      const set = await hub.cli('profile', 'set', name, 'param', 'x', 'to', 'done', '-r', seen)
      expect(set).toMatchObject({ code: 0 })
    }
  })

  it('a default counts for get and for -r', async () => {
    expect(await run('param create chosen --default none')).toMatchObject({ code: 0 })
    expect(await run('param create chosen --default none')).toMatchObject({ code: 5 })
    const name = await made()
    expect((await run(`profile get ${name} param chosen`)).out).toBe('none\n')
    expect(await run(`profile set ${name} param chosen to me -r none`)).toMatchObject({ code: 0 })
    expect(await run(`profile set ${name} param chosen to you -r none`)).toMatchObject({ code: 5 })
    expect((await run('param list')).out).toContain('chosen')
    expect((await run('param show chosen')).out).toContain('"default": "none"')
    expect(await run('param delete chosen')).toMatchObject({ code: 0 })
  })

  it('adds, removes, appends, takes and counts', async () => {
    const name = await made()
    expect(await run(`profile add ${name} param a to 1`)).toMatchObject({ code: 0 })
    expect(await run(`profile add ${name} param a to 2`)).toMatchObject({ code: 5 })
    expect(await run(`profile remove ${name} param a -r 2`)).toMatchObject({ code: 5 })
    expect(await run(`profile remove ${name} param a -r 1`)).toMatchObject({ code: 0 })
    expect(await run(`profile get ${name} param a`)).toMatchObject({ code: 1, out: '' })
    await run(`profile append ${name} param list to me`)
    expect((await run(`profile append ${name} param list to me`)).out).toContain('as it was before')
    expect((await run(`profile get ${name} param list`)).out).toBe('["me"]\n')
    await run(`profile take ${name} param list to me`)
    expect((await run(`profile get ${name} param list`)).out).toBe('[]\n')
    expect((await run(`counter ${name} n`)).out).toBe('1\n')
    expect((await run(`counter ${name} n --by -3`)).out).toBe('-2\n')
  })

  it('takes values from files and the standard input only when told', async () => {
    const name = await made()
    const file = join(hub.folder, 'value.json')
    writeFileSync(file, '{"from": "file"}')
    expect(await hub.cli('profile', 'set', name, 'param', 'x', '--file', file)).toMatchObject({ code: 0 })
    expect((await run(`profile get ${name} param x`)).out).toBe('{"from":"file"}\n')
    await hub.cli('profile', 'set', name, 'param', 'x', 'to', file)
    expect((await run(`profile get ${name} param x`)).out).toBe(`${file}\n`)
    await hub.cli('profile', 'set', name, 'param', 'x', 'to', '5', '--string')
    expect((await run(`profile get ${name} param x`)).out).toBe('"5"\n')
    expect((await run(`profile get ${name} param x --raw`)).out).toBe('5\n')
    expect(await hub.cli('profile', 'set', name, 'param', 'x', 'to', '{broken')).toMatchObject({ code: 2 })
    expect(await hub.cli('profile', 'set', name, 'param', 'x')).toMatchObject({ code: 2 })
    expect(await hub.cli('profile', 'set', name, 'x', 'to', '1')).toMatchObject({ code: 2 })
    expect(await hub.cli('profile', 'set', name, 'param', 'x', 'to', '9007199254740993')).toMatchObject({ code: 2 })
  })

  it('patches, updates and replaces params, each with a reference', async () => {
    const name = await made('{"params": {"a": 1}}')
    const patch = '[{"op":"test","path":"/params/a","value":1},{"op":"add","path":"/params/b","value":2}]'
    expect(await hub.cli('profile', 'patch', name, patch)).toMatchObject({ code: 0 })
    const seen = (await run(`profile show ${name}`)).out
    expect(await hub.cli('profile', 'update', name, '{"meta":{"icon":"anchor"}}', '-r', seen)).toMatchObject({
      code: 0,
    })
    expect(await hub.cli('profile', 'update', name, '{"meta":{"icon":"ship"}}', '-r', seen)).toMatchObject({ code: 5 })
    expect((await run(`profile get ${name} meta icon`)).out).toBe('anchor\n')
    expect(await run(`profile set ${name} meta tries to 5`)).toMatchObject({ code: 0 })
    expect(await run(`profile set ${name} meta tries to 6 -r 5`)).toMatchObject({ code: 0 })
    expect(await run(`profile remove ${name} meta tries -r 5`)).toMatchObject({ code: 5 })
    expect(await run(`profile remove ${name} meta tries -r 6`)).toMatchObject({ code: 0 })
    const params = (await run(`profile params ${name}`)).out
    expect(JSON.parse(params)).toEqual({ a: 1, b: 2 })
    expect(await hub.cli('profile', 'params', name, '{"c":3}', '-r', params)).toMatchObject({ code: 0 })
    expect(await hub.cli('profile', 'params', name, '{"d":4}', '-r', params)).toMatchObject({ code: 5 })
    expect((await run(`profile history ${name}`)).out).toContain('patch')
    const then = (await run(`profile history ${name} --version 1`)).out
    expect(JSON.parse(then)).toMatchObject({ version: 1, params: { a: 1 } })
  })

  it('edits by a command, which runs again when somebody else was faster', async () => {
    const name = await made('{"params": {"n": 0}}')
    const script = `let t='';process.stdin.on('data',(d)=>t+=d).on('end',()=>{const p=JSON.parse(t);p.params.n+=1;console.log(JSON.stringify(p))})`
    const edits = await Promise.all(
      Array.from({ length: 4 }, () => hub.cli('profile', 'edit', name, '--', process.execPath, '-e', script)),
    )
    expect(edits.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    expect((await run(`profile get ${name} param n`)).out).toBe('4\n')
    expect(await hub.cli('profile', 'edit', name, '--', 'false')).toMatchObject({ code: 2 })
    expect(await hub.cli('profile', 'edit', name, '--', 'cat')).toMatchObject({ code: 0, out: '' })
  })

  it('makes a token for some of a profile, into a file that nobody else reads', async () => {
    const name = await made('{"params": {"a": 1, "b": 2}}')
    const file = join(hub.folder, `${name}.token`)
    const token = await hub.cli('profile', 'token', name, '--write', '--param', 'a', '--ttl', '10m', '--out', file)
    expect(token).toMatchObject({ code: 0 })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toMatch(/^flt_/)
    const rows = async () => (await run('token list')).out.split('\n').length
    const before = await rows()
    const again = await hub.cli('profile', 'token', name, '--out', file)
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining('is there already') as string })
    expect(await rows()).toBe(before)
    expect(await run(`profile set ${name} param a to 3 --token-file ${file}`)).toMatchObject({ code: 0 })
    expect(await run(`profile set ${name} param b to 3 --token-file ${file}`)).toMatchObject({ code: 6 })
    expect(await run(`profile get ${name} param b --token-file ${file}`)).toMatchObject({ code: 6 })
  })
})

it('flotilla txn changes several profiles or none', async () => {
  const [a, b] = [await made('{"params": {"n": 1}}'), await made()]
  const file = join(hub.folder, 'txn.json')
  writeFileSync(
    file,
    JSON.stringify({
      operations: [
        { op: 'set', profile: a, param: 'n', value: 2, ref: 1 },
        { op: 'append', profile: b, param: 'list', value: a },
      ],
    }),
  )
  expect(await hub.cli('txn', '-f', file)).toMatchObject({ code: 0 })
  expect(await hub.cli('txn', '-f', file)).toMatchObject({ code: 5 })
  expect((await run(`profile get ${b} param list`)).out).toBe(`["${a}"]\n`)
})
