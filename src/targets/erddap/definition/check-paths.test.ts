import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkPaths, type PathDataset } from './check-paths.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-paths-'))
  await writeFile(join(folder, 'iso.xml'), '')
})
afterEach(() => rm(folder, { recursive: true }))

function dataset(id: string, inside: string, type = 'EDDTableFromNcFiles', active = true): PathDataset {
  const source = Buffer.from(`<dataset type="${type}" datasetID="${id}">${inside}</dataset>`)
  return { id, active, source, path: `${id}.xml`, line: 7 }
}

test('folders and files that are not there are warnings, at their dataset', async () => {
  const problems = await checkPaths([
    dataset('fine', `<fileDir> ${folder}/ </fileDir><iso19115File>${folder}/iso.xml</iso19115File>`),
    dataset('gone', `<fileDir>${folder}/gone/</fileDir><fgdcFile>${folder}/iso.xml/x</fgdcFile>`),
    dataset(
      'parent',
      `<dataset type="EDDGridFromNcFiles" datasetID="b"><fileDir>${folder}/child</fileDir></dataset>`,
      'EDDGridCopy',
    ),
  ])
  expect(problems.map(({ code, severity, file, line, dataset: id }) => [code, severity, file, line, id])).toEqual([
    ['PATH_MISSING', 'warning', 'gone.xml', 7, 'gone'],
    ['PATH_MISSING', 'warning', 'gone.xml', 7, 'gone'],
    ['PATH_MISSING', 'warning', 'parent.xml', 7, 'parent'],
  ])
  expect(problems[0]?.message).toBe(`fileDir ${folder}/gone/ does not exist on this machine`)
})

test('nothing is said of what ERDDAP fetches, of web addresses, of special forms and of inactive datasets', async () => {
  const gone = `<fileDir>${folder}/gone/</fileDir>`
  const problems = await checkPaths([
    dataset('cached', `<cacheFromUrl>https://x/</cacheFromUrl>${gone}`),
    dataset('thredds', gone, 'EDDTableFromThreddsFiles'),
    dataset('remote', '<fileDir>https://bucket.s3.amazonaws.com/x/</fileDir>'),
    dataset('names', '<fileDir>***fromOnTheFly, https://x/</fileDir>', 'EDDTableFromFileNames'),
    dataset('none', '<fileDir></fileDir><iso19115File></iso19115File>'),
    dataset('off', gone, 'EDDTableFromNcFiles', false),
    dataset(
      'child',
      `<dataset type="EDDGridFromNcFiles" datasetID="b" active="false">${gone}</dataset>`,
      'EDDGridCopy',
    ),
  ])
  expect(problems).toEqual([])
})

test('an aborted check rejects with the reason', async () => {
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(checkPaths([dataset('a', '<fileDir>/x</fileDir>')], { signal })).rejects.toThrow('enough')
})
