import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../../../test/helpers/cli.ts'
import { needs } from '../../../test/helpers/needs.ts'
import { filedistPlaces, nginxVerdict } from '../../../test/helpers/nginx-filedist.ts'
import { Secret } from '../../lib/secret.ts'
import { type FiledistNode, renderFiledist } from './filedist.ts'

const withNginx = await needs({ tools: ['nginx'] })
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-filedist-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function node(given: Partial<FiledistNode> = {}): FiledistNode {
  return {
    server: '127.0.0.1:18080',
    upstream: { host: '127.0.0.1', port: 8480 },
    trees: [{ name: 'music', folder: '/srv/music', prefix: '/music/', incoming: '/srv/music/in' }],
    user: undefined,
    pid: join(folder, 'nginx.pid'),
    logDir: folder,
    maxBodySize: '0',
    nginxSocket: undefined,
    sendfilePrefix: undefined,
    about: [],
    keys: [],
    open: 'everything',
    ...given,
  }
}

const HOSTILE = [
  'a b',
  'q"q',
  "a'p",
  '$arg_x',
  '${x}',
  'back\\slash',
  'semi;colon',
  'br{a}ce',
  '#hash',
  'é',
  '*glob',
  'x" ; }',
]

withNginx.for(HOSTILE)('nginx takes a folder that is called %s', async (name) => {
  const tree = join(folder, 'trees', name)
  mkdirSync(tree, { recursive: true })
  const trees = [{ name: 'music', folder: tree, prefix: '/a/music/', incoming: join(tree, 'in') }]
  const logDir = join(folder, 'logs', name)
  mkdirSync(logDir, { recursive: true })
  const given = { trees, logDir, nginxSocket: join(tree, 's'), sendfilePrefix: 'files', about: [`x ${name}\ny`] }
  expect(await nginxVerdict(folder, renderFiledist(node(given)))).toContain('test is successful')
})

withNginx('nginx takes every combination of keys, roots, sockets and prefixes', async () => {
  const keys = HOSTILE.map((text) => ({ key: new Secret(`k${text}`), scopes: [`music/${text}`, 'music'] }))
  for (const prefix of ['/', '/music/', '/export/webroot/lautfm/var/', '/a.b-c_d/']) {
    for (const nginxSocket of [undefined, '/tmp/s.sock']) {
      for (const open of ['everything', 'json', 'nothing'] as const) {
        const incoming = join(folder, 'in')
        const trees = [
          { name: 'music', folder, prefix, incoming },
          { name: 'maps', folder, prefix: '/maps/', incoming },
        ]
        const text = renderFiledist(node({ trees, keys, open, nginxSocket, server: '[::1]:18080', maxBodySize: '30m' }))
        expect(await nginxVerdict(folder, text), `${prefix} ${nginxSocket} ${open}`).toContain('test is successful')
      }
    }
  }
})

test('what no configuration can hold is refused', () => {
  const trees = [{ name: 'music', folder: '/srv/a\nuser root;', prefix: '/music/', incoming: '/x' }]
  expect(() => renderFiledist(node({ trees }))).toThrow(/control character/)
  expect(() => renderFiledist(node({ pid: 'a\0b' }))).toThrow(/control character/)
})

test('a comment is one line, whatever stands in it', () => {
  const text = renderFiledist(node({ about: ['one\nuser evil;\u2028x'] }))
  expect(text).not.toMatch(/^user evil/m)
})

withNginx('the command of nginx.filedist works with our name before it', async () => {
  const root = join(folder, 'foo')
  mkdirSync(join(root, 'export/webroot/lautfm/var'), { recursive: true })
  const own = ['-r', root, '-p', '/export/webroot/lautfm/var/', '-s', 'localhost:18080']
  const children = ['-c', 'localhost:18081,localhost:18082', '-m', '30m', 'conf/nginx.conf.erb']
  const { code, out, err } = await runCli([
    'proxy',
    'render',
    'filedist',
    ...filedistPlaces(folder),
    ...own,
    ...children,
  ])
  expect(err).toContain(`--tree 'var=${root}/export/webroot/lautfm/var'`)
  expect(err).toContain('--child http://localhost:18081 --child http://localhost:18082')
  expect(code).toBe(0)
  expect(out).toMatch(/^pid ".*\/localhost:18080\.pid";$/m)
  expect(out).toContain('client_max_body_size 30m;')
  expect(out).toContain('localhost:18080.access.log')
  expect(await nginxVerdict(folder, out)).toContain('test is successful')
})

test('what the options of nginx.filedist cannot mean is told', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['-r', '/srv', '-p', '/a/'], /--server is required/],
    [['-s', 'a b', '-r', '/srv'], /--server takes/],
    [['-s', '80', '-r', '/'], /would serve everything/],
    [['-s', '80', '-r', '/srv', '-p', '/../x'], /--path-prefix takes/],
    [['-s', '80', '-r', '/srv', '-p', '/.flotilla-tmp'], /--path-prefix takes/],
    [['-s', '80', '-r', '/srv', '-u', 'a; b'], /--user takes/],
    [['-s', '80', '-r', '/srv', '-m', '30x'], /--max-body-size takes/],
    [['-s', '80', '-r', '/srv', '-c', 'a b:c'], /--child-nodes takes/],
    [['-s', '80', '-r', '/srv', '--tree', 'a=/b'], /say the same/],
    [['-s', '80'], /nothing to serve/],
  ]
  for (const [options, why] of wrong) {
    const { code, err } = await runCli(['proxy', 'render', 'filedist', ...options])
    expect(code, options.join(' ')).not.toBe(0)
    expect(err).toMatch(why)
  }
})
