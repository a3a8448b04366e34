import { expect, test } from 'vitest'
import { Secret } from '../../lib/secret.ts'
import { type DirectServing, renderDirectServing } from './render.ts'

const SERVING: DirectServing = {
  listen: '8080',
  upstream: { host: '127.0.0.1', port: 8480 },
  trees: [{ name: 'data', folder: '/srv/data' }],
  keys: [],
  open: 'nothing',
}

function lines(serving: Partial<DirectServing>): readonly string[] {
  return renderDirectServing({ ...SERVING, ...serving })
    .split('\n')
    .map((line) => line.trim())
}

test('a key is matched as a whole, as it is and as it stands in a URL, and cannot end its word', () => {
  const said = lines({ keys: [{ key: new Secret('a"b;\\$1.*+'), scopes: [] }] })
  expect(said.filter((line) => line.startsWith('"~^a'))).toEqual([
    String.raw`"~^a\\\"b\\;\\\\\\$1\\.\\*\\+\\z" 1;`,
    String.raw`"~^a\\%22b\\%3B\\%5C\\%241\\.\\*\\%2B\\z" 1;`,
  ])
})

test('a scope means what is in it, not what its name begins', () => {
  const scopes = ['data_run', 'data/icon/', 'data/gfs']
  const said = lines({ keys: [{ key: new Secret('k'), scopes }] })
  for (const pattern of ['data_run/', 'data/icon/', 'data/gfs']) expect(said).toContain(`"~^1:/${pattern}" 1;`)
  expect(said).not.toContain(String.raw`"~\\.json\\z" 1;`)
})

test('what is open is open to anybody', () => {
  expect(lines({ open: 'json' })).toContain(String.raw`"~\\.json\\z" 1;`)
  expect(lines({ open: 'everything' }).join(' ')).toContain('$flotilla_allowed { default 1; }')
})

test('no link is followed but where the file service has looked', () => {
  expect(lines({}).filter((line) => line.startsWith('disable_symlinks'))).toEqual([
    'disable_symlinks on "from=/srv/data";',
  ])
  const internal = lines({ sendfilePrefix: 'send' }).join(' ')
  expect(internal).toContain('location ^~ "/send/data/" { internal; alias "/srv/data/";')
})

test('what no configuration can hold is refused', () => {
  for (const folder of ['/srv/$data', '/srv/a b', '/srv/*', '/srv/"; }']) {
    expect(() => lines({ trees: [{ name: 'data', folder }] }), folder).toThrow(/cannot be used/)
  }
  expect(() => lines({ keys: [{ key: new Secret('a\nb'), scopes: [] }] })).toThrow(/control character/)
  expect(() => lines({ listen: '80;\n' })).toThrow(/control character/)
})
