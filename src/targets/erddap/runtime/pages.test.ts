import { describe, expect, test } from 'vitest'
import { parseCsv } from './csv.ts'
import { compareWithPage, parseInfoPage } from './info-page.ts'
import { parseLoadLog } from './load-log.ts'
import { parseStatusPage } from './status-page.ts'

const STATUS_2_31 = `<!DOCTYPE html>
<html lang="en-US"><head><title>ERDDAP - Status</title></head>
<body><div class="standard_width">
<pre>Current time is 2026-11-20T10:15:30-08:00
Startup was at  2026-11-20T09:00:05-08:00
Last major LoadDatasets started 15m 2s ago and finished after 12 seconds.
Currently, minor LoadDatasets is loading dataset #2=ctdCasts (3.250 s).
nGridDatasets  = 52
nTableDatasets = 9
nTotalDatasets = 61
n Datasets Failed To Load (in the last major LoadDatasets) = 2
    ctdCasts, wavesStationB, (end)
Reasons for failing to load datasets: 
ctdCasts: datasets.xml error on line #1234
While trying to load datasetID=ctdCasts (after 17 ms)
java.lang.RuntimeException: 0 files found in /data/ctd/
regex=.*\\.csv recursive=false pathRegex=.* time=0ms
 at gov.noaa.pfel.erddap.dataset.EDDTableFromFiles.&lt;init&gt;(EDDTableFromFiles.java:1016)
 at gov.noaa.pfel.erddap.dataset.EDD.fromXml(EDD.java:514)

wavesStationB: datasets.xml error on line #88
While trying to load datasetID=wavesStationB (after 2 ms)
java.lang.Exception: ERROR in XML file on line #80: Unexpected tag=&lt;erddapDatasets&gt;&lt;dataset&gt;&lt;fileDirr&gt; content=&quot;&quot;.
 at com.cohort.util.SimpleXMLReader.unexpectedTagException(SimpleXMLReader.java:543)

ERROR while processing line #80 datasets.xml: see log.txt for details.
Unique users (since startup)                            n = 12
Response Failed    Time (since last major LoadDatasets) n =        0
</pre></div></body></html>`

const STATUS_2_18 = `<pre>Current time is 2022-03-01T10:15:30+00:00
Startup was at  2022-03-01T09:00:05+00:00
Last major LoadDatasets started 32.125 s ago and is still running.
nGridDatasets  = 0
nTableDatasets = 1
nTotalDatasets = 1
Unique users (since startup)                            n = 1
</pre>`

describe('status.html', () => {
  test('of 2.31: times, what loads, what failed and why, and where the file broke off', () => {
    const page = parseStatusPage(STATUS_2_31)
    expect(page.startedAtMs).toBe(Date.parse('2026-11-20T17:00:05Z'))
    expect(page.loading).toBe(true)
    expect(page.errors.get('ctdCasts')).toEqual({
      line: 1234,
      message: '0 files found in /data/ctd/ regex=.*\\.csv recursive=false pathRegex=.* time=0ms',
    })
    expect(page.errors.get('wavesStationB')).toEqual({
      line: 88,
      message: 'Unexpected tag=<erddapDatasets><dataset><fileDirr> content="".',
    })
    expect(page.brokenOff).toEqual({ line: 80, message: 'see log.txt for details.' })
  })

  test('of 2.18, during the first major load', () => {
    const page = parseStatusPage(STATUS_2_18)
    expect(page).toMatchObject({ startedAtMs: Date.parse('2022-03-01T09:00:05Z'), loading: true, brokenOff: undefined })
    expect(page.errors.size).toBe(0)
  })

  test.for([
    ['nothing', ''],
    ['another page', '<html><body>It works!</body></html>'],
    ['a start without a time zone', '<pre>Startup was at  2012-01-01T00:00:00 local time\n</pre>'],
  ])('%s tells nothing, and is no error', ([, html = '']) => {
    expect(parseStatusPage(html)).toMatchObject({ startedAtMs: undefined, loading: false, brokenOff: undefined })
  })
})

const RUN = `
********************************************************************************
LoadDatasets.run EDStatic.config.developmentMode=false 2026-11-20T10:15:30-08:00
  datasetsRegex=(a|b) inputStream=null majorLoad=false
*** reloading datasetID=a because it was in the flag directory.
`
const FAILED = `datasets.xml error on line #12
While trying to load datasetID=a (after 3 ms)
java.lang.RuntimeException: sourceUrl is not reachable
 at gov.noaa.pfel.erddap.dataset.EDDGridFromDap.<init>(EDDGridFromDap.java:1)
Caused by: java.net.UnknownHostException: example.org
`
const FINISHED = `
********************************************************************************
LoadDatasets.run finished at 2026-11-20T10:15:31-08:00  TOTAL TIME=1000ms
  nGridDatasets active=1 change=0
`

describe('log.txt', () => {
  test('a load that has begun and not ended is running', () => {
    expect(parseLoadLog(FINISHED + RUN)).toMatchObject({ running: true, brokenOff: undefined })
  })

  test('a load that has ended is not, and says why a dataset failed', () => {
    const log = parseLoadLog(RUN + FAILED + FINISHED)
    expect(log.running).toBe(false)
    expect(log.errors.get('a')).toEqual({ line: 12, message: 'sourceUrl is not reachable' })
  })

  test('a load that broke off has ended, and hides the errors of the loads before it', () => {
    const broken =
      'ERROR while processing line #80 datasets.xml: java.lang.Exception: ERROR in XML file on line #80: Unexpected tag=<x>\n at a.b.C\n'
    const log = parseLoadLog(RUN + FAILED + FINISHED + RUN + broken)
    expect(log).toMatchObject({ running: false, brokenOff: { line: 80, message: 'Unexpected tag=<x>' } })
    expect(log.errors.size).toBe(0)
  })

  test('what ERDDAP 2.18 calls its setting is understood too', () => {
    expect(parseLoadLog(RUN.replace('EDStatic.config.', 'EDStatic.')).running).toBe(true)
  })

  test('a log that does not reach back to the start of a load says nothing about it', () => {
    expect(parseLoadLog(`some request\n${FINISHED}`).running).toBeUndefined()
  })
})

describe('tables', () => {
  test('cells are unquoted, with the escapes that ERDDAP writes', () => {
    const csv = 'attribute,NC_GLOBAL,summary,String,"Line one\\nline ""two"", \\u00b0C and a \\\\ backslash"\nx,,1.5,\n'
    expect([...parseCsv(csv)]).toEqual([
      ['attribute', 'NC_GLOBAL', 'summary', 'String', 'Line one\nline "two", °C and a \\ backslash'],
      ['x', '', '1.5', ''],
    ])
  })

  test('a row that is not of this form is empty', () => {
    expect([...parseCsv('a,"b\nc,d\n')]).toEqual([[], ['c', 'd']])
  })

  test('with a cell of megabytes is read, closed or not', () => {
    const long = 'a'.repeat(32 * 1024 * 1024)
    expect([...parseCsv(`"${long}",b`)]).toEqual([[long, 'b']])
    expect([...parseCsv(`"${long}`)]).toEqual([[]])
  })
})

const PAGE = parseInfoPage(`Row Type,Variable Name,Attribute Name,Data Type,Value
attribute,NC_GLOBAL,title,String,New title
attribute,NC_GLOBAL,summary,String,"Two\\n  lines"
variable,time,,double,
attribute,time,units,String,seconds since 1970-01-01T00:00:00Z
`)
const title = (value: string) => ({ variable: 'NC_GLOBAL', attribute: 'title', value })
const summary = (value: string) => ({ variable: 'NC_GLOBAL', attribute: 'summary', value })
const license = (value: string) => ({ variable: 'NC_GLOBAL', attribute: 'license', value })

describe('what a page shows', () => {
  test.for([
    ['every text that changed', 'new', [title('New title'), summary('Two lines')], [title('Old')]],
    ['only some of them: neither definition', 'unlike', [title('New title'), summary('other')], [title('Old')]],
    ['white space does not count', 'new', [summary('Two lines')], undefined],
    ['an old text where a new one should be', 'old', [title('Newer')], [title('New title')]],
    ['a new attribute that is missing, as before', 'old', [license('x')], []],
    ['a text that was taken out and is gone', 'new', [], [license('x')]],
    ['a text that was taken out and is there may be the data file’s', 'same', [], [title('New title')]],
    ['neither text: ERDDAP writes its own', 'unlike', [title('Newer')], [title('Old')]],
    ['nothing expected', 'same', [], []],
    ['a dataset never loaded before, shown otherwise', 'unlike', [title('Other')], undefined],
  ] as const)('%s: %s', ([, shown, after, before]) => {
    expect(compareWithPage(PAGE, after, before)).toBe(shown)
  })
})
