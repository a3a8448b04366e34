import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { keyOf } from '../src/core/routing/key.ts'
import type { KeyRule } from '../src/core/routing/model.ts'
import { requestTarget } from '../src/core/routing/target.ts'
import { EXAMPLES, needs } from './helpers/needs.ts'

const test = await needs({ examples: true })

const FOLDER = join(EXAMPLES, 'proxy')
/** What the lists write where a request is of no item: the client's address. */
const CLIENT = '127.0.0.1'

function lines(file: string): readonly string[] {
  const path = join(FOLDER, file)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
}

test('every URL of the list of ERDDAP has the key that the proved nginx configuration gives it', () => {
  const forms = erddapForms()
  expect(forms.length).toBeGreaterThanOrEqual(5)
  const urls = lines('urls.txt')
  expect(urls.length).toBeGreaterThan(25)
  for (const url of urls)
    expect([url, key(url, { system: 'erddap', base: '/erddap' })]).toEqual([url, byMap(url, forms)])
})

test.for([
  ['geo-urls.txt', { system: 'geoserver', base: '/geoserver' }],
  ['om-urls.txt', { system: 'openmeteo', base: '' }],
] as const)('every URL of %s has the key that is written before it', ([file, rule]) => {
  const rows = lines(file).map((line) => line.split(/\|(.*)/s))
  expect(rows.length).toBeGreaterThan(15)
  for (const [expected = '', url = ''] of rows) {
    expect([url, key(url, rule)]).toEqual([url, expected === CLIENT ? undefined : expected])
  }
})

function key(url: string, rule: KeyRule): string | undefined {
  return keyOf(url, [rule])?.key
}

/** The rows of `map $uri $ds_path` that nginx was proved with: an expression, and whether what it finds is a dataset. */
function erddapForms(): readonly { readonly form: RegExp; readonly isDataset: boolean }[] {
  const rows = lines('erddap.conf').map((line) => /^\s+"~(\^\/erddap.*?)"\s+(""|\$d\d);/.exec(line) ?? [])
  return rows
    .filter(({ length }) => length > 0)
    .map(([, form = '', value]) => ({ form: new RegExp(form), isDataset: value !== '""' }))
}

function byMap(url: string, forms: ReturnType<typeof erddapForms>): string | undefined {
  const target = requestTarget(url)
  const found = forms.find(({ form }) => form.test(target?.path ?? ''))
  const id =
    found?.isDataset === true
      ? found.form
          .exec(target?.path ?? '')
          ?.slice(1)
          .find(Boolean)
      : undefined
  return id ?? target?.query('datasetid')
}
