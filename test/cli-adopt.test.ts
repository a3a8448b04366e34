import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { agentSchema } from '../src/config/agent.ts'
import { hubSchema } from '../src/config/hub.ts'
import { runCli } from './helpers/cli.ts'
import { temporaryFolder } from './helpers/folder.ts'
import { FIXTURES, needs } from './helpers/needs.ts'
import { smallDataset } from './helpers/small-dataset.ts'

function put(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

const datasetsXml = (...parts: readonly string[]): string =>
  `<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n${parts.join('')}</erddapDatasets>\n`
const setupXml = (parent: string, key: string): string =>
  `<erddapSetup><bigParentDirectory>${parent}/</bigParentDirectory><flagKeyKey>${key}</flagKeyKey>` +
  '<!-- <baseUrl>http://old</baseUrl> --><baseUrl>https://erd.example.org</baseUrl></erddapSetup>'

/** Two servers, not quite alike, and the folder that both are made of. */
function servers(): string {
  const root = temporaryFolder()
  for (const [name, key, parts] of [
    ['erd1', 'k1', [smallDataset('a'), smallDataset('b'), '<cacheMinutes>60</cacheMinutes>\n']],
    [
      'erd2',
      'k2-is-a-secret',
      [
        smallDataset('a').replace('<fileDir>', '\n  <fileDir>'),
        smallDataset('b').replace('>T<', '>other<'),
        smallDataset('c').replace('active="true"', 'active="false"'),
        '<cacheMinutes>30</cacheMinutes>\n',
        '<user username="x" password="hunter2" roles="r" />\n',
      ],
    ],
  ] as const) {
    const parent = join(root, name, 'bpd')
    const xml = datasetsXml(...parts)
    put(join(root, name), {
      'content/erddap/setup.xml': setupXml(parent, key),
      'content/erddap/datasets.xml': xml,
      'bpd/currentDatasets.xml': name === 'erd1' ? xml : 'older',
      'bpd/flag/.keep': '',
      'bpd/hardFlag/a': '',
      'bpd/logs/log.txt': 'x'.repeat(100),
    })
  }
  put(join(root, 'shared/datasets.d'), {
    'a.xml': smallDataset('a'),
    'more/b.xml': smallDataset('b'),
    'more/README.md': '# b',
  })
  put(join(root, 'docker'), {
    'docker-compose.yml':
      'services:\n  erddap:\n    environment:\n      ERDDAP_DATASETS_cacheMinutes: 60\n      ERDDAP_DATASETS_password: hunter2\n',
    'datasets.d.sh': '#!/bin/sh\n',
  })
  return root
}

describe('adopt PATH', () => {
  test('says what is there, what differs and how to take it in', async () => {
    const root = servers()
    const { code, out, err } = await runCli([
      'adopt',
      join(root, 'erd1'),
      join(root, 'erd2'),
      join(root, 'shared'),
      join(root, 'docker'),
    ])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`ERDDAP 1: ${root}/erd1/content/erddap`)
    expect(out).toContain(`bigParentDirectory  ${root}/erd2/bpd`)
    expect(out).toContain('datasets.xml  2 datasets, 0 switched off\n')
    expect(out).toContain('datasets.xml  3 datasets, 1 switched off, not yet read by ERDDAP')
    expect(out).toContain('1 flag not taken yet')
    expect(out).toContain(`definitions: ${root}/shared/datasets.d\n  2 datasets; nested folders; 1 other file,`)
    expect(out).toContain("made with docker-erddap's datasets.d.sh\n  ERDDAP_DATASETS_cacheMinutes: 60")
    expect(out).toContain('ERDDAP 1 lacks 1: c')
    expect(out).toContain('defined unlike: b\n')
    expect(out).toContain('settings at the top of datasets.xml: cacheMinutes, user')
    expect(out).toContain('settings in setup.xml: flagKeyKey')
    expect(out).toContain(
      `flotilla join URL CODE --node NAME --content-dir ${root}/erd1/content/erddap --big-parent-dir ${root}/erd1/bpd`,
    )
    expect(out).toContain(`flotilla datasets plan ${root}/shared/datasets.d`)
    expect(out).not.toMatch(/hunter2|k2-is-a-secret/)
  })

  test('of a folder of definitions alone promises no options of servers', async () => {
    const { code, out } = await runCli(['adopt', join(servers(), 'shared')])
    expect([code, out]).toEqual([0, expect.stringContaining('a line to type on each server\n') as string])
    expect(out).not.toContain('flotilla join')
  })

  test('does not hold against a server what only an older ERDDAP would refuse', async () => {
    const folder = put(temporaryFolder(), {
      'setup.xml': setupXml('/bpd', 'k'),
      'datasets.xml': datasetsXml('<ipAddressMaxRequests>15</ipAddressMaxRequests>\n', '<noTag>1</noTag>\n'),
    })
    const { out } = await runCli(['adopt', folder])
    expect(out).toContain('noTag')
    expect(out).not.toContain('TAG_VERSION')
  })

  test('as JSON, without secrets', async () => {
    const { out } = await runCli(['adopt', servers(), '--json'])
    const found = JSON.parse(out) as { installations: { datasetsXml: object }[]; differences: object }
    expect(found.installations).toHaveLength(2)
    expect(found.differences).toMatchObject({ missing: { c: [0] }, unlike: ['b'], switched: [] })
    expect(out).not.toMatch(/hunter2|k2-is-a-secret/)
  })

  test('names a folder that is not there, and one with nothing of ERDDAP', async () => {
    expect(await runCli(['adopt', '/nonexistent/x'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('there is no folder') as string,
    })
    expect((await runCli(['adopt', temporaryFolder()])).code).toBe(1)
  })

  test('stands whatever stands in the files', async () => {
    const root = put(temporaryFolder(), {
      'content/setup.xml': '\0<bigParentDirectory>',
      'content/datasets.xml': '<?xml version="1.0"?><erddapDatasets><dataset',
      'datasets.d/a.xml': '<dataset',
      'bpd/flag/x': '',
      'bpd/logs/log.txt': '',
    })
    const { code, out } = await runCli(['adopt', root])
    expect([code, out]).toEqual([0, expect.stringContaining('datasets.xml  0 datasets') as string])
    expect(out).toContain('[XML_MALFORMED]')
  })
})

const onFixtures = await needs({ fixtures: true })
onFixtures('finds the folders of real collections', async () => {
  const { code, out } = await runCli(['adopt', join(FIXTURES, 'erddap')])
  expect(code).toBe(0)
  expect(out).toMatch(/definitions: .*salishseacast\n {2}\d+ datasets; an ordered manifest/)
})

const traced = await needs({ tools: ['strace'] })
traced('adopt opens nothing for writing, and makes, renames and removes nothing', { timeout: 60_000 }, () => {
  const root = servers()
  put(root, { '.erddaputil.toml': TOML })
  const before = snapshot(root)
  const trace = join(temporaryFolder(), 'trace')
  const calls =
    'open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat'
  const program = [process.execPath, join(import.meta.dirname, '../src/bin.ts')]
  for (const argv of [
    ['adopt', root],
    ['adopt', 'erddaputil'],
  ]) {
    execFileSync('strace', ['-f', '-o', trace, '-e', `trace=${calls}`, ...program, ...argv], {
      cwd: root,
      env: { ...process.env, HOME: root },
    })
    const writing = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) =>
        / open(?:at)?\(/.test(line) ? /O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)/.test(line) : /^\d+ +\w+\(/.test(line),
      )
      // The runtime's own: devices, pipes, and where it keeps compiled code.
      .filter((line) => !/"\/dev\/|"\/proc\/|node-compile-cache|\/\.cache\/compile\//.test(line))
    expect(writing).toEqual([])
  }
  expect(snapshot(root)).toEqual(before)
})

function snapshot(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => {
    const { mtimeMs, size } = statSync(join(root, path))
    return `${path} ${mtimeMs} ${size}`
  })
}

const TOML = `
[erddaputil]
secret_key = "very-secret-indeed"
use_ampq_exchange = true
metrics_manager = "erddaputil.main.metrics.LocalPrometheusSendThread"

[erddaputil.erddap]
datasets_d = "/shared/datasets.d"
datasets_xml = "/tomcat/content/erddap/datasets.xml"
datasets_xml_template = "/shared/template.xml"
big_parent_directory = "/erddap_data"
base_url = "http://localhost:8080/erddap/"
ip_block_list = "/shared/blocked ips.txt"

[erddaputil.dataset_manager]
max_pending = 5
backups = true

[erddaputil.ampq]
connection = "amqps://bob:hunter2@rabbit.example.org:5671/%2F"
cluster_name = "c1"

[erddaputil.tomcat]
log_directory = "/tomcat/logs"

[erddaputil.logman]
retention_days = 10
`

describe('adopt erddaputil', () => {
  test('proposes a configuration that our own schema takes, and no secret in it', async () => {
    const folder = put(temporaryFolder(), { 'x.toml': TOML })
    const { code, out } = await runCli(['adopt', 'erddaputil', 'x.toml'], { cwd: folder })
    expect(code).toBe(0)
    expect(out).not.toMatch(/hunter2|very-secret/)
    const [, hub = '', agent = ''] = out.split(/^# (?:hub|agent)\.yaml.*$/m)
    expect(hubSchema.parse(parse(hub))).toMatchObject({
      sources: { datasets: { folder: '/shared/datasets.d', quarantine: true } },
      erddaputil: {
        listen: { host: '127.0.0.1', port: 9172 },
        amqp: { url: 'amqps://rabbit.example.org:5671', user: 'bob', exchange: 'erddap_cnc', cluster: 'c1' },
      },
    })
    expect(agentSchema.parse({ ...(parse(agent) as object), node: 'erd1' })).toMatchObject({
      metrics: { accessLogs: ['/tomcat/logs/access_log*'] },
      targets: {
        datasets: {
          contentDirectory: '/tomcat/content/erddap',
          bigParentDirectory: '/erddap_data',
          url: 'http://localhost:8080/erddap',
          logRetentionDays: 10,
        },
      },
    })
    expect(out).toContain('cp /shared/template.xml /shared/datasets.d/template.xml')
    expect(out).toContain("xargs -r -d '\\n' -n 100 -a '/shared/blocked ips.txt' flotilla block ip")
    expect(out).toContain("xargs -r -d '\\n' -n 100 -a /erddap_data/.email_block_list.txt flotilla block email")
    expect(out).toContain('all its servers share one queue')
  })

  test('names what somebody set in the environment and ERDDAPUtil never reads, or takes the wrong way', async () => {
    const folder = put(temporaryFolder(), {
      '.erddaputil.toml': '[erddaputil]\n[erddaputil.erddap]\ndatasets_d = "/file"\n',
    })
    const env = {
      HOME: folder,
      ERDDAPUTIL_AMPQ_HOSTNAME: 'node-a',
      ERDDAPUTIL_LOCALPROM_PASSWORD: 'hunter2',
      ERDDAPUTIL_USE_AMPQ_EXCHANGE: 'false',
      ERDDAPUTIL_ERDDAP_DATASETS_D: '/env',
    }
    const { out } = await runCli(['adopt', 'erddaputil'], { cwd: folder, env })
    expect(out).toContain('ERDDAPUTIL_AMPQ_HOSTNAME is set, but ERDDAPUtil never reads it')
    expect(out).toContain('ERDDAPUTIL_LOCALPROM_PASSWORD is set, but ERDDAPUtil never reads it')
    expect(out).toContain('ERDDAPUTIL_USE_AMPQ_EXCHANGE says no, but ERDDAPUtil takes any text for yes')
    expect(out).toContain('folder: /env')
    expect(out).not.toContain('hunter2')
  })

  test('says where a file is no TOML, and shows nothing of it', async () => {
    const folder = put(temporaryFolder(), { 'x.toml': '[erddaputil]\nsecret_key = "very-secret\n' })
    const { code, err } = await runCli(['adopt', 'erddaputil', 'x.toml'], { cwd: folder })
    expect([code, err]).toEqual([2, expect.stringMatching(/x\.toml/) as string])
    expect(err).not.toContain('very-secret')
    expect((await runCli(['adopt', 'erddaputil', 'none.toml'], { cwd: folder })).code).toBe(1)
  })
})
