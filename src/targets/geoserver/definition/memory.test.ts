import v8 from 'node:v8'
import vm from 'node:vm'
import { expect, test } from 'vitest'
import { Overlay } from './overlay.ts'
import { IdIndex, parseFile } from './parsed.ts'
import { portable } from './portable.ts'

const FILES = 300
const PADDING = `<abstract>${'x'.repeat(100_000)}</abstract>`
const overlay = new Overlay()

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

test('what is kept of files holds none of their text', () => {
  const index = new IdIndex()
  const kept: unknown[] = []
  const read = (path: string, content: string) => {
    const file = parseFile(path, Buffer.from(content.replace('…', PADDING)))
    kept.push(index.add(file))
    const made = portable(file, { ids: index.ids, overlay })
    kept.push('entry' in made ? made.entry : made.problem)
  }
  collect()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < FILES; n++) {
    const workspace = `workspace_of_number_${n}`
    const id = `WorkspaceInfoImpl--1234abcd:12345678:-${n}`
    read(`workspaces/${workspace}/workspace.xml`, `<workspace><id>${id}</id><name>${workspace}</name>…</workspace>`)
    read(
      `workspaces/${workspace}/a_store/datastore.xml`,
      `<dataStore><name>a_store_with_data</name><workspace><id>${id}</id></workspace>…
        <connectionParameters><entry key="url">file:data/far/away</entry></connectionParameters></dataStore>`,
    )
    read(`styles/by_name_${n}.xml`, `<style><name>a_style_${n}</name><workspace>${workspace}</workspace>…</style>`)
    read(`styles/of_file_${n}.xml`, `<style><name>a_style_${n}</name>…<filename>a_body_${n}.sld</filename></style>`)
    read(`styles/unknown_${n}.xml`, `<style><workspace><id>WorkspaceInfoImpl-0:0:-${n}</id></workspace>…</style>`)
    read(`styles/broken_${n}.xml`, `<style>…<a_broken_style_${n}></style>`)
  }
  collect()
  const grown = process.memoryUsage().heapUsed - before
  expect(kept).toHaveLength(12 * FILES)
  // Some kB for each; one text of each kind kept would be 30 MB.
  expect(grown).toBeLessThan(15e6)
})
