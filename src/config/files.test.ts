import { expect, test } from 'vitest'
import { files, filesSchema } from './files.ts'

/** What is refused, with the place in the configuration; undefined where nothing is. */
function refusal(schema: typeof files | typeof filesSchema, tree: object, more: object = {}): string | undefined {
  const parsed = schema.safeParse({ trees: { music: { folder: '/srv/music', ...tree } }, ...more })
  const [issue] = parsed.error?.issues ?? []
  return issue && `${issue.path.join('.')}: ${issue.message}`
}

const CHILD = { url: 'http://node1:8480' }

test('a file service of its own knows no cluster', () => {
  const alone = 'it is for the `files` of an agent, which is part of a cluster: this file service is alone'
  expect(refusal(filesSchema, { elected: true })).toBe(`trees.music.elected: ${alone}`)
  expect(refusal(filesSchema, { fed: 'cluster' })).toBe(`trees.music.fed: ${alone}`)
  expect(refusal(filesSchema, { children: 'cluster' })).toBe(`trees.music.children: ${alone}`)
  expect(refusal(filesSchema, { children: [CHILD] }, { root: true })).toBeUndefined()
})

test('what contradicts itself is refused: a lone root among several, one that nobody may write to, or that is fed', () => {
  expect(refusal(files, { elected: true }, { root: true })).toMatch(/^trees.music.elected: `root` is for the only root/)
  expect(refusal(files, { elected: true, readOnly: true })).toMatch(/^trees.music.elected: a root is written to/)
  expect(refusal(files, { elected: true }, { readOnly: true })).toMatch(/^trees.music.elected: a root is written to/)
  expect(refusal(files, { fed: 'cluster' }, { root: true })).toBe('trees.music.fed: nobody feeds a node with `root`')
  expect(refusal(files, { fed: 'cluster', children: 'cluster' })).toMatch(/^trees.music.fed: of nodes that all feed/)
  expect(refusal(files, { elected: true, children: 'cluster' })).toBeUndefined()
  expect(refusal(files, { fed: 'cluster' })).toBeUndefined()
})
