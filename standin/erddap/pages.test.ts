import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { flagKey } from './flag-key.ts'
import { DEFAULTS } from './options.ts'
import { files, remote, Sandbox, servedTitle, text, until } from './test-kit.ts'

describe('allDatasets', () => {
  test('lists the datasets that are served, and itself, by title', async () => {
    const box = new Sandbox()
    box.write(remote('z', 'Alpha'), remote('a', 'Omega, the last'))
    const erddap = await box.start()
    expect(await text(erddap, 'tabledap/allDatasets.csv0?datasetID')).toBe('allDatasets\nz\na\n')
    expect(await text(erddap, 'tabledap/allDatasets.csv0?datasetID,title,class,dataStructure')).toBe(
      'allDatasets,* The List of All Active Datasets in this ERDDAP *,EDDTableFromAllDatasets,table\n' +
        'z,Alpha,EDDGridFromDap,grid\n' +
        'a,"Omega, the last",EDDGridFromDap,grid\n',
    )
  })

  test('csv has names and units first; json has types too; both quote what they must', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'Caf&eacute; "au lait"'))
    const erddap = await box.start()
    const csv = await text(erddap, 'tabledap/allDatasets.csv?datasetID,title,minTime')
    expect(csv.split('\n').slice(0, 2)).toEqual(['datasetID,title,minTime', ',,UTC'])
    expect(csv).toContain(String.raw`a,"Caf\u00e9 ""au lait""",` + '\n')
    const { table } = JSON.parse(await text(erddap, 'tabledap/allDatasets.json?title,maxTime')) as {
      table: Record<string, unknown>
    }
    expect(table).toMatchObject({ columnNames: ['title', 'maxTime'], columnTypes: ['String', 'String'] })
    expect(table['rows']).toContainEqual(['Café "au lait"', null])
  })

  test('has the columns of the real one', async () => {
    const box = new Sandbox()
    box.write()
    const erddap = await box.start()
    const [names] = (await text(erddap, 'tabledap/allDatasets.csv')).split('\n')
    expect(names?.split(',')).toHaveLength(36)
    expect(names).toMatch(/^datasetID,accessible,institution,dataStructure,.*,outOfDate,summary$/)
  })

  test('an unknown column is an error 400', async () => {
    const box = new Sandbox()
    box.write()
    const erddap = await box.start()
    const response = await fetch(`${erddap.url}/tabledap/allDatasets.csv0?datasetId`)
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('Unrecognized variable=')
  })

  test('does not say that a private dataset exists; its pages ask for a login', async () => {
    const box = new Sandbox()
    box.write(remote('secret', 'S', '<accessibleTo>staff</accessibleTo>'), remote('open', 'O'))
    const erddap = await box.start()
    expect(erddap.served()).toEqual(['secret', 'open'])
    expect(await text(erddap, 'tabledap/allDatasets.csv0?datasetID')).toBe('allDatasets\nopen\n')
    expect((await fetch(`${erddap.url}/griddap/secret.das`)).status).toBe(401)
  })
})

describe('the pages of a dataset', () => {
  test('info, das and html tell of the definition that is served', async () => {
    const box = new Sandbox()
    box.write(files('a', 'Title', box.data))
    const erddap = await box.start()
    await until('the dataset is served', () => erddap.served().includes('a'))
    expect(await text(erddap, 'info/a/index.csv')).toBe(
      'Row Type,Variable Name,Attribute Name,Data Type,Value\n' +
        'attribute,NC_GLOBAL,title,String,Title\n' +
        'variable,value,,float,\n' +
        'attribute,value,units,String,m\n',
    )
    expect(await text(erddap, 'tabledap/a.das')).toContain('String title "Title";')
    expect(await text(erddap, 'tabledap/a.html')).toContain('<h1>Title</h1>')
    expect(await text(erddap, 'fr/tabledap/a.csv')).toBe('value\nm\n')
  })

  test.each(['griddap/none.html', 'tabledap/none.das', 'info/none/index.json', 'tabledap/grid.das'])(
    '%s is an error 404',
    async (path) => {
      const box = new Sandbox()
      box.write(remote('grid', 'G'))
      const erddap = await box.start()
      const response = await fetch(`${erddap.url}/${path}`)
      expect(response.status).toBe(404)
      expect(await response.text()).toMatch(
        /^Error \{\n {4}code=404;\n {4}message="Not Found: Currently unknown datasetID=/,
      )
    },
  )

  test('the ISO 19115 record is the file that the definition names', async () => {
    const box = new Sandbox()
    const record = join(box.root, 'a.xml')
    writeFileSync(record, '<record/>')
    box.write(remote('a', 'A', `<iso19115File>${record}</iso19115File>`), remote('b', 'B'))
    const erddap = await box.start()
    expect(await text(erddap, 'metadata/iso19115/xml/a_iso19115.xml')).toBe('<record/>')
    expect((await fetch(`${erddap.url}/metadata/iso19115/xml/b_iso19115.xml`)).status).toBe(404)
  })
})

describe('status.html', () => {
  test('names what failed and why, with the line of datasets.xml', async () => {
    const box = new Sandbox()
    box.write(remote('good', 'G'), files('bad', 'B', '/no/such/folder'))
    const erddap = await box.start()
    await erddap.majorLoad()
    const status = await text(erddap, 'status.html')
    expect(status).toMatch(/Last major LoadDatasets started [\d.]+ m?s ago and finished after \d+ seconds\.\n/)
    expect(status).toContain('Currently, no dataset is loading.\n')
    expect(status).toContain('nGridDatasets  = 1\nnTableDatasets = 1\nnTotalDatasets = 2\n')
    expect(status).toContain('n Datasets Failed To Load (in the last major LoadDatasets) = 1\n    bad, (end)\n')
    expect(status).toMatch(/Reasons for failing to load datasets: \nbad: datasets\.xml error on line #22\n/)
  })

  test('says nothing of what failed after a flag: only the log does', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    box.write(files('a', 'A', '/no/such/folder'))
    await box.flagged(erddap, 'flag', 'a')
    expect(await text(erddap, 'status.html')).toContain('(in the last major LoadDatasets) = 0\n')
  })

  test('says what is loading', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start({ loadMs: 300 })
    box.flag('flag', 'a')
    await until('the page says so', async () =>
      /Currently, minor LoadDatasets is loading dataset #1=a \(\d+ ms\)\./.test(await text(erddap, 'status.html')),
    )
  })

  test('of 2.18 has neither reasons nor what is loading', async () => {
    const box = new Sandbox()
    box.write(files('bad', 'B', '/no/such/folder'))
    const erddap = await box.start({ version: '2.18' })
    const status = await text(erddap, 'status.html')
    expect(status).not.toContain('Reasons for failing')
    expect(status).not.toContain('Currently,')
  })
})

describe('the rest', () => {
  test('version is text, and JSON for those who ask a newer one for it', async () => {
    const box = new Sandbox()
    box.write()
    const erddap = await box.start({ version: '2.31.0' })
    expect(await text(erddap, 'version')).toBe('ERDDAP_version=2.31\n')
    const json = await fetch(`${erddap.url}/version`, { headers: { accept: 'application/json' } })
    expect(await json.json()).toMatchObject({ version: '2.31', version_full: '2.31.0' })
  })

  test('metrics count datasets, from 2.25 on', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    expect(await text(erddap, 'metrics')).toContain('dataset_count{category="grid"} 1\n')
    const older = await box.start({ version: '2.18' })
    expect((await fetch(`${older.url}/metrics`)).status).toBe(404)
  })

  test('setDatasetFlag.txt sets a soft flag for the right key only', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    box.write(remote('a', 'A2'))
    expect(await text(erddap, 'setDatasetFlag.txt?datasetID=a&flagKey=1')).toBe('ERROR: Invalid flagKey.')
    expect(await text(erddap, 'setDatasetFlag.txt?datasetID=a')).toBe('ERROR: Incomplete request.')
    const key = flagKey(erddap.url, 'a', DEFAULTS.flagKeyKey)
    const answer = await text(erddap, `setDatasetFlag.txt?datasetID=a&flagKey=${key}`)
    expect(answer).toBe('SUCCESS: The flag has been set.')
    await until('the new title is served', async () => (await servedTitle(erddap, 'a')) === 'A2')
  })

  test('the statistics can be read from outside', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    const stats = await fetch(new URL('/stand-in/stats.json', erddap.url))
    expect(await stats.json()).toMatchObject({ loads: [{ kind: 'major', tried: ['a'] }], overlappingLoads: 0 })
  })
})

test('addresses on the blacklist are refused as the proxy before it wrote them, whole or by their last parts', async () => {
  const sandbox = new Sandbox()
  sandbox.write('<requestBlacklist>192.0.2.7, 198.51.100.*,10.1.*.*,2001:db8::*</requestBlacklist>', remote('a', 'A'))
  const erddap = await sandbox.start()
  const statusOf = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${erddap.url}/version`, { headers })).status
  for (const address of ['192.0.2.7', '198.51.100.9', '10.1.2.3', '2001:db8::5', '203.0.113.1, 192.0.2.7']) {
    expect([address, await statusOf({ 'x-forwarded-for': address })]).toEqual([address, 403])
  }
  for (const address of ['192.0.2.70', '198.51.10.9', '10.2.1.1', '2001:db8::1:5', '192.0.2.7, 203.0.113.1']) {
    expect([address, await statusOf({ 'x-forwarded-for': address })]).toEqual([address, 200])
  }
  expect(await statusOf({ 'true-client-ip': '192.0.2.7', 'x-forwarded-for': '203.0.113.1' })).toBe(403)
  expect(await statusOf({})).toBe(200)
})
