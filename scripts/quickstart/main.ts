import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from './cluster.ts'
import { Narrator } from './narrator.ts'
import { tellStory } from './story.ts'

const { values } = parseArgs({ options: { exit: { type: 'boolean', default: false } } })
const narrator = new Narrator()
const folder = mkdtempSync(join(tmpdir(), 'flotilla-quickstart-'))
const cluster = new Cluster(join(import.meta.dirname, '../..'), folder, narrator)
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
})

async function main(): Promise<void> {
  narrator.step('Start a hub and three nodes, each beside an ERDDAP')
  narrator.say('The ERDDAP here is a small stand-in that behaves like the real one towards its files and flags.')
  await cluster.startHub()
  const [front] = await Promise.all([
    cluster.startFront(),
    ...['erd1', 'erd2', 'erd3'].map((name) => cluster.startNode(name)),
  ])
  narrator.expect(true, 'hub and nodes are running')
  if (front === undefined) narrator.say('There is no nginx on this machine, so no proxy stands before the nodes.')
  else narrator.say(`An nginx before them, which Flotilla tells where each request goes: ${front.url}/erddap`)
  await tellStory(cluster, narrator)
  process.stdout.write(
    `\n${narrator.failures.length === 0 ? 'Every step held' : 'NOT every step held'} after ${narrator.seconds()} s.\n`,
  )
}

function invite(): void {
  process.stdout.write(`
The cluster is still running. In another terminal, in this folder:
   export FLOTILLA_URL=${cluster.url} FLOTILLA_TOKEN_FILE=${cluster.tokenFile}
   ./flotilla status --watch
   edit files in ${cluster.source}, then: ./flotilla datasets release ${cluster.source} -m "my change"
Ctrl-C stops it and removes ${folder}
`)
}

try {
  await Promise.race([main(), interrupted.then(() => Promise.reject(new Error('interrupted')))])
  if (!values.exit) {
    invite()
    await interrupted
  }
} catch (error) {
  narrator.failures.push(error instanceof Error ? error.message : String(error))
  process.stderr.write(`quickstart: ${narrator.failures.at(-1)}\n`)
} finally {
  await cluster.stop()
  const keep = narrator.failures.length > 0
  if (keep) process.stderr.write(`The logs are in ${join(folder, 'logs')}\n`)
  else rmSync(folder, { recursive: true, force: true })
  process.exitCode = keep ? 1 : 0
}
