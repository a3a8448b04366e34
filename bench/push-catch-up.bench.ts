import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILEDIST_PREFIX, type Filedist, startFiledist } from './filedist/start.ts'
import { areInstalled, benchFolder, emptied, makeFiles, seconds } from './files.ts'
import { allInTurn, type Bench, timesOf } from './figure.ts'
import { expectCopies, type Upload, untilThere, upload, uploadOf } from './push-load.ts'
import { startPushed } from './push-tree.ts'
import { type RsyncDaemon, startRsync } from './rsync-daemons.ts'

const RUNS = 5
const FILES = 10_000
const BYTES = 10_000
const CHILD = 'child.example:8081'

export const bench: Bench = {
  about:
    `A child that was down gets ${FILES.toLocaleString('en-US')} files of 10 KB that were written meanwhile, in memory (tmpfs) on one machine, without a cap: from the moment that the root, ` +
    'started again, listens, to the last file in place, verified by SHA-256. The peers: wget, that crawls the log of what is missing of nginx.filedist (without `--no-parent`, with which it fetches nothing); ' +
    'and rsync to a daemon. Both verify nothing.',
  run: async (say) => {
    if (!areInstalled('nginx', 'libnginx-mod-http-lua', 'libnginx-mod-http-echo', 'curl', 'wget', 'rsync')) {
      say('nginx, its Lua and echo modules, curl, wget and rsync are not installed and cannot be: nothing is measured')
      return []
    }
    const home = benchFolder()
    const source = join(home, 'source/files')
    makeFiles(source, FILES, BYTES)
    const files = uploadOf(source)
    const filedist = await startFiledist(join(home, 'filedist'), 0)
    mkdirSync(join(home, 'daemon'))
    const daemon = await startRsync(join(home, 'daemon'))
    try {
      const log = writeLog(filedist, files)
      const values = await allInTurn(RUNS, {
        ours: async (run) => {
          say(`${run + 1}/${RUNS} …`)
          return await caughtUp(files, emptied(join(home, 'ours')))
        },
        wget: async () => await crawled(files, log, emptied(join(home, 'crawled'))),
        rsync: async () => await copied(files, daemon),
      })
      const rates = (name: 'ours' | 'wget' | 'rsync'): readonly number[] => values[name].map((took) => FILES / took)
      const ours = rates('ours')
      return [
        { name: 'catch-up', unit: 'files/s', ours, peer: { name: 'wget', values: rates('wget') } },
        timesOf('catch-up, of wget', ours, rates('wget'), { min: 2 }),
        timesOf('catch-up, of rsync', ours, rates('rsync'), { min: 0.8 }),
      ]
    } finally {
      await Promise.all([filedist.stop(), daemon.stop()])
      rmSync(home, { recursive: true })
    }
  },
}

/** The root is started again too, so that nobody waits out a pause between attempts. */
async function caughtUp(files: Upload, folder: string): Promise<number> {
  const pushed = await startPushed({ folder, children: 1, args: ['--catch-up-rate', 'off'] })
  const [child] = pushed.children
  if (child === undefined) throw new Error('there is no child')
  try {
    const first = await fetch(`${pushed.url}first?ack=all`, { method: 'PUT', body: 'known' })
    if (first.status !== 201) throw new Error(await first.text())
    await child.stop()
    await upload(files, `${pushed.url}files/`, { connections: 4, query: '?ack=local', mayTellErrors: true })
    await pushed.root.stop('SIGTERM')
    await child.start()
    await pushed.root.start()
    const to = join(child.folder, 'files')
    const took = await untilThere(to, files.paths)
    expectCopies([to], files)
    return took
  } finally {
    await pushed.stop()
  }
}

/** The files of the master, and the log as it stands where a child was not there for them. Answers its address. */
function writeLog({ url, nodes: [master] }: Filedist, { folder, paths }: Upload): string {
  if (master === undefined) throw new Error('there is no master')
  symlinkSync(folder, join(master.folder, 'files'))
  const logs = join(master.folder, '../__missing__', CHILD)
  mkdirSync(logs, { recursive: true })
  const line = (path: string): string => {
    const at = `${FILEDIST_PREFIX}files/${path}`
    return `2026-03-21 00-00-00 error: ${CHILD}<a href="${at}">${at}</a> failed to store: 502<br>\n`
  }
  writeFileSync(join(logs, '2026-03-21.log.html'), paths.map(line).join(''))
  return `${url}/__missing__/${CHILD}/2026-03-21.log.html`
}

async function crawled(files: Upload, log: string, to: string): Promise<number> {
  const how = ['--quiet', '--recursive', '--level=1', '--no-host-directories', '--cut-dirs=2', '-e', 'robots=off']
  const took = await seconds('wget', [...how, '--reject', 'index.html*', '--directory-prefix', to, log])
  rmSync(join(to, '2026-03-21.log.html'), { force: true })
  expectCopies([to], files)
  return took
}

async function copied(files: Upload, daemon: RsyncDaemon): Promise<number> {
  emptied(daemon.folder)
  const took = await daemon.copy(files.folder)
  expectCopies([daemon.folder], files)
  return took
}
