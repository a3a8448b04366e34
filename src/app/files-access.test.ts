import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { files } from '../config/files.ts'
import { silent } from '../core/log.ts'
import { Secret } from '../lib/secret.ts'
import { FilesAccess, fedByCluster } from './files-access.ts'

const TREES = {
  own: { folder: '/own' },
  fed: { folder: '/fed', fed: 'cluster' },
  elected: { folder: '/elected', elected: true, children: 'cluster' },
}

async function opened(more: object) {
  const config = files.parse({ trees: TREES, ...more })
  const base = temporaryFolder()
  writeFileSync(join(base, 'keys'), 'writer write\n', { mode: 0o600 })
  const access = await FilesAccess.open(config, { clock: new VirtualClock(), log: silent, base, keys: [] })
  return { access, config }
}

test.each([{}, { apiKeyFile: 'keys' }, { openWrites: true, apiKeyFile: 'keys' }])(
  'the key of the nodes feeds the trees that say so, and no other: %j',
  async (more) => {
    const { access, config } = await opened(more)
    expect(fedByCluster(config)).toEqual(['fed', 'elected'])
    await access.take(new Secret('peer'))
    const peer = access.current.ofApiKey('peer')!
    expect(['own', 'fed', 'elected'].map((tree) => peer.mayFeed(tree))).toEqual([false, true, true])
    expect(['own', 'fed', 'elected'].map((tree) => peer.mayWrite(tree, 'key'))).toEqual([false, false, false])
    expect(peer.mayRead('own', 'key')).toBe(true)
    expect(access.current.anonymous.mayRead('own', 'key')).toBe(!('apiKeyFile' in more) || 'openWrites' in more)
    expect(access.current.anonymous.mayFeed('fed')).toBe(false)
  },
)

test('a node that is started as a root is fed by nobody; settings that contradict each other are refused', () => {
  expect(() => files.parse({ root: true, trees: TREES })).toThrow(/nobody feeds a node with `root`/)
  const both = { a: { folder: '/a', fed: 'cluster', children: 'cluster' } }
  expect(() => files.parse({ trees: both })).toThrow(/each has to say `elected: true`/)
  const fixed = { a: { folder: '/a', elected: true, readOnly: true } }
  expect(() => files.parse({ trees: fixed })).toThrow(/a root is written to/)
})
