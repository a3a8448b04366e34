import { describe, expect, test } from 'vitest'
import { gridDataset, treeOf } from '../../../../test/helpers/erddap-tree.ts'
import { type Lists, NO_LISTS } from '../../../core/lists.ts'
import { type Compiled, compile } from './compile.ts'
import type { ListsInput } from './lists.ts'
import { splitDatasets } from './split.ts'

const HEADER = '<?xml version="1.0" encoding="UTF-8" ?>\n'
const blocked = (...requestBlacklist: string[]): Lists => ({ ...NO_LISTS, requestBlacklist })

async function compiled(
  files: Parameters<typeof treeOf>[0],
  lists?: Lists,
  rest: { readonly before?: ListsInput['before']; readonly values?: ReadonlyMap<string, string> } = {},
): Promise<Compiled & { readonly text: string }> {
  const { before = [], values = new Map() } = rest
  const manifest = { active: {}, removed: {} }
  const result = await compile({ tree: treeOf(files), manifest, values, lists: lists && { lists, before } })
  return { ...result, sha256: result.sha256, text: Buffer.concat(result.chunks).toString() }
}

const topOf = ({ text }: { readonly text: string }): string => splitDatasets(Buffer.from(text)).topDigest

describe('lists of the cluster', () => {
  test('stand before every dataset', async () => {
    const result = await compiled({ 'a.xml': gridDataset('a') }, blocked('192.0.2.7', '10.0.0.0/15'))
    expect(result.text).toBe(
      `${HEADER}<erddapDatasets>\n<requestBlacklist>10.0.*.*,10.1.*.*,192.0.2.7</requestBlacklist>\n${gridDataset('a')}</erddapDatasets>\n`,
    )
    expect(result.lists).toEqual(['requestBlacklist'])
    expect(result.topDigest).toBe(topOf(result))
    expect(result.locate(3)).toBeUndefined()
    expect(result.locate(4)).toEqual({ file: 'a.xml', line: 1 })
  })

  test('that are empty change no byte', async () => {
    const files = {
      'a.xml': gridDataset('a'),
      'template.xml': '<erddapDatasets><logLevel>all</logLevel></erddapDatasets>',
    }
    const [without, empty] = [await compiled(files), await compiled(files, NO_LISTS)]
    expect(empty.text).toBe(without.text)
    expect([empty.topDigest, empty.lists]).toEqual([without.topDigest, []])
  })

  test('are merged with what the template says, whose place is blank then; every line stays where it was', async () => {
    const template = [
      '<!-- ours -->',
      '<erddapDatasets>',
      '  <requestBlacklist> 198.51.100.1,',
      '     192.0.2.7 </requestBlacklist><logLevel>all</logLevel>',
      '<ipAddressUnlimited>203.0.113.5</ipAddressUnlimited>',
      '</erddapDatasets>',
    ].join('\n')
    const result = await compiled(
      { 'template.xml': template, 'b.xml': gridDataset('b') },
      blocked('192.0.2.7', '192.0.2.8'),
    )
    const lines = result.text.split('\n')
    expect(lines.slice(0, 7)).toEqual([
      HEADER.trimEnd(),
      '<!-- ours -->',
      '<erddapDatasets>',
      '<requestBlacklist>198.51.100.1,192.0.2.7,192.0.2.8</requestBlacklist>',
      ' '.repeat(lines[4]?.length ?? 0),
      `${' '.repeat('     192.0.2.7 </requestBlacklist>'.length)}<logLevel>all</logLevel>`,
      '<ipAddressUnlimited>203.0.113.5</ipAddressUnlimited>',
    ])
    expect(result.locate(6)).toEqual({ file: 'template.xml', line: 4 })
    expect(result.locate(8)).toEqual({ file: 'b.xml', line: 1 })
    expect(result.topDigest).toBe(topOf(result))
  })

  test('of several settings of one name the last counts, as for ERDDAP, and none of them stays', async () => {
    const files = {
      'a.xml': `<requestBlacklist>1.1.1.1</requestBlacklist>\n${gridDataset('a')}`,
      'b.xml': `${gridDataset('b')}<requestBlacklist>2.2.2.2</requestBlacklist>\n`,
      'template.xml': '<erddapDatasets><requestBlacklist>3.3.3.3</requestBlacklist></erddapDatasets>',
    }
    const result = await compiled(files, blocked('192.0.2.7'))
    expect(result.text.match(/<requestBlacklist>[^<]*/g)).toEqual(['<requestBlacklist>2.2.2.2,192.0.2.7'])
    expect(result.datasets.map(({ id, source }) => [id, Buffer.from(source).toString()])).toEqual([
      ['a', gridDataset('a').trimEnd()],
      ['b', gridDataset('b').trimEnd()],
    ])
  })

  test('keep a setting that was written once, for ERDDAP keeps what it read of one that is gone', async () => {
    const { text } = await compiled({ 'a.xml': gridDataset('a') }, NO_LISTS, { before: ['requestBlacklist'] })
    expect(text).toContain('<erddapDatasets>\n<requestBlacklist></requestBlacklist>\n')
  })

  test('are written so that ERDDAP reads the same, and nothing else from them', async () => {
    const emails = ['*@y.org', "o'neil+a&b@x.org", '</erddapDatasets>@x.org', '${env:HOME}@x.org']
    const result = await compiled({ 'a.xml': gridDataset('a') }, { ...NO_LISTS, subscriptionEmailBlacklist: emails })
    expect(result.text).toContain(
      '<subscriptionEmailBlacklist>*@y.org,o&#39;neil+a&amp;b@x.org</subscriptionEmailBlacklist>\n',
    )
    expect(result.topDigest).toBe(topOf(result))
  })

  test('do not depend on the order in which they come', async () => {
    const [one, other] = [
      blocked('192.0.2.7', '192.0.2.0/25', '2001:db8::1'),
      blocked('2001:db8::1', '192.0.2.0/25', '192.0.2.7'),
    ]
    const files = { 'a.xml': gridDataset('a') }
    expect((await compiled(files, one)).text).toBe((await compiled(files, other)).text)
  })

  test('know a node’s own value in the setting that they are merged with', async () => {
    const files = { 'a.xml': gridDataset('a'), 'b.xml': '<requestBlacklist>${node.foe}</requestBlacklist>' }
    const { text } = await compiled(files, blocked('192.0.2.7'), { values: new Map([['foe', '198.51.100.1']]) })
    expect(text).toContain('<requestBlacklist>198.51.100.1,192.0.2.7</requestBlacklist>')
  })

  test('say what only a proxy can enforce', async () => {
    const { warnings, text } = await compiled({ 'a.xml': gridDataset('a') }, blocked('2001:db8::/32', '192.0.2.7'))
    expect(warnings).toMatchObject([{ severity: 'warning', code: 'LIST_LEFT' }])
    expect(warnings[0]?.message).toContain('requestBlacklist is without 2001:db8::/32')
    expect(text).toContain('<requestBlacklist>192.0.2.7</requestBlacklist>')
  })
})
