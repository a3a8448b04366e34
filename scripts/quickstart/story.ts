import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Cluster, DemoNode } from './cluster.ts'
import type { Visit } from './front.ts'
import type { Narrator } from './narrator.ts'

/** The dataset the story edits, and the texts it looks for on the servers afterwards. */
const EDITED = {
  id: 'coastBuoys',
  file: 'buoys/coastBuoys.xml',
  title: 'Coastal Buoys',
  newTitle: 'Coastal Buoys, quality controlled',
}

/** Every step a user would take, each followed by what must hold then, asked of the servers and not of Flotilla. */
export async function tellStory(cluster: Cluster, narrator: Narrator): Promise<void> {
  await firstRelease(cluster, narrator)
  await changeOne(cluster, narrator)
  await breakOne(cluster, narrator)
  await breakOnLoad(cluster, narrator)
  await rollBack(cluster, narrator)
  await showStatus(cluster, narrator)
}

async function firstRelease(cluster: Cluster, narrator: Narrator): Promise<void> {
  narrator.step('Check the collection, and release it to every node')
  const check = await cluster.flotilla(['datasets', 'check', cluster.source])
  narrator.expect(check.code === 0, 'the collection has no errors')
  const release = await cluster.flotilla(['datasets', 'release', cluster.source, '-m', 'first release', '--wait'])
  narrator.expect(release.code === 0, 'the release is in step')
  // ${node.files} is a folder of each node's own.
  const files = cluster.nodes.map((node) => compiled(node).replaceAll(dirname(node.contentDir), ''))
  narrator.expect(new Set(files).size === 1, 'every node has the same datasets.xml')
  const served = await Promise.all(cluster.nodes.map((node) => servedIds(node)))
  narrator.expect(
    served.every((ids) => ids.includes(EDITED.id)),
    `every ERDDAP itself lists ${EDITED.id}`,
  )
}

async function changeOne(cluster: Cluster, narrator: Narrator): Promise<void> {
  narrator.step('Change one dataset, one node after the other')
  await cluster.front?.ready()
  const before = await Promise.all(cluster.nodes.map((node) => loads(node)))
  edit(cluster, `>${EDITED.title}<`, `>${EDITED.newTitle}<`)
  narrator.say(`edited ${EDITED.file}: the title is now "${EDITED.newTitle}"`)
  await cluster.flotilla(['datasets', 'plan', cluster.source, '--rolling', '--soak', '1s'])
  const args = ['-m', 'better title for the buoys', '--rolling', '--soak', '1s', '--wait']
  const { result: release, visit } = await visited(cluster, () =>
    cluster.flotilla(['datasets', 'release', cluster.source, ...args]),
  )
  narrator.expect(release.code === 0, 'every node proved it, each before the next began')
  if (visit !== undefined) {
    const noticed = `a client that asked nginx ${visit.answers} times meanwhile`
    narrator.expect(visit.failures.length === 0 && visit.answers > 0, `${noticed} got every answer`)
    const once = visit.seen.join(' → ') === `${EDITED.title} → ${EDITED.newTitle}`
    narrator.expect(once, 'and saw the old title, then the new one, and never went back')
  }
  const titles = await Promise.all(cluster.nodes.map((node) => servedTitle(node)))
  narrator.expect(
    titles.every((title) => title === EDITED.newTitle),
    'every ERDDAP serves the new title',
  )
  const after = await Promise.all(cluster.nodes.map((node) => loads(node)))
  const reloaded = after.map((lines, index) => lines.slice(before[index]?.length ?? 0))
  const exactly = reloaded.every((lines) => lines.length === 1 && lines[0] === EDITED.id)
  narrator.expect(exactly, `every ERDDAP reloaded ${EDITED.id} and nothing else`)
}

/** Runs `change` while a client asks the proxy, where there is one, for the title of the dataset all the time. */
async function visited<T>(
  { front }: Cluster,
  change: () => Promise<T>,
): Promise<{ readonly result: T; readonly visit: Visit | undefined }> {
  const over = new AbortController()
  const visiting = front?.visit(`/erddap/info/${EDITED.id}/index.json`, titleOf, over.signal)
  const result = await change()
  over.abort()
  return { result, visit: await visiting }
}

async function breakOne(cluster: Cluster, narrator: Narrator): Promise<void> {
  narrator.step('Break it on purpose')
  const good = readFileSync(join(cluster.source, EDITED.file), 'utf8')
  const before = cluster.nodes.map((node) => compiled(node))
  edit(cluster, '</addAttributes>', '</addAtributes>')
  narrator.say(`edited ${EDITED.file}: a closing tag is misspelt`)
  const release = await cluster.flotilla(['datasets', 'release', cluster.source, '-m', 'oops'])
  narrator.expect(release.code === 4, 'the release is refused (exit code 4)')
  narrator.expect(/coastBuoys\.xml:\d+:\d+/.test(release.said), 'the refusal names file, line and column')
  const untouched = cluster.nodes.every((node, index) => compiled(node) === before[index])
  narrator.expect(untouched, 'no node changed a byte')
  writeFileSync(join(cluster.source, EDITED.file), good)
}

async function breakOnLoad(cluster: Cluster, narrator: Narrator): Promise<void> {
  narrator.step('Break it in a way that only ERDDAP can notice')
  const good = readFileSync(join(cluster.source, EDITED.file), 'utf8')
  const [canary, ...others] = cluster.nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const before = await Promise.all(others.map(async (node) => [compiled(node), await loads(node)]))
  edit(cluster, '<fileNameRegex>', '<fileNameRegex>no_such_')
  narrator.say(`edited ${EDITED.file}: well-formed, but no data file has such a name`)
  const message = ['-m', 'a new naming scheme']
  const { result: release, visit } = await visited(cluster, () =>
    cluster.flotilla(['datasets', 'release', cluster.source, ...message, '--rolling', '--wait']),
  )
  narrator.expect(release.code === 4, 'the first node could not prove it: it was taken back (exit code 4)')
  narrator.expect(
    /coastBuoys\.xml:\d+: .*0 files found/.test(release.stdout),
    "the report names node, file and line, and ERDDAP's own error",
  )
  const after = await Promise.all(others.map(async (node) => [compiled(node), await loads(node)]))
  narrator.expect(JSON.stringify(after) === JSON.stringify(before), 'the other nodes were not touched')
  const title = canary === undefined ? '' : await servedTitle(canary)
  narrator.expect(title === EDITED.newTitle, 'the first node serves again what it served before')
  if (visit !== undefined) {
    const unaware = visit.failures.length === 0 && visit.seen.join() === EDITED.newTitle
    narrator.expect(unaware, `a client that asked nginx ${visit.answers} times meanwhile noticed nothing`)
  }
  writeFileSync(join(cluster.source, EDITED.file), good)
}

async function rollBack(cluster: Cluster, narrator: Narrator): Promise<void> {
  narrator.step('Roll back to the first release')
  const rollback = await cluster.flotilla(['rollback', 'r1', '--wait'])
  narrator.expect(rollback.code === 0, 'the rollback is in step')
  const titles = await Promise.all(cluster.nodes.map((node) => servedTitle(node)))
  narrator.expect(
    titles.every((title) => title === EDITED.title),
    'every ERDDAP serves the old title again',
  )
  await cluster.flotilla(['history'])
}

async function showStatus(cluster: Cluster, narrator: Narrator): Promise<void> {
  narrator.step('Status')
  const status = await cluster.flotilla(['status'])
  narrator.expect(status.code === 0 && status.stdout.includes('IN STEP'), 'every node proves what it serves')
}

function edit(cluster: Cluster, from: string, to: string): void {
  const path = join(cluster.source, EDITED.file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`)
  writeFileSync(path, text.replace(from, to))
}

function compiled(node: DemoNode): string {
  return readFileSync(join(node.contentDir, 'datasets.xml'), 'utf8')
}

async function servedIds(node: DemoNode): Promise<string[]> {
  const answer = await fetch(`${node.url}/tabledap/allDatasets.csv0?datasetID`)
  return (await answer.text()).trim().split('\n')
}

async function servedTitle(node: DemoNode): Promise<string> {
  const answer = await fetch(`${node.url}/info/${EDITED.id}/index.json`)
  return answer.ok ? titleOf(await answer.text()) : ''
}

function titleOf(page: string): string {
  const { table } = JSON.parse(page) as { table: { rows: readonly (readonly string[])[] } }
  return table.rows.find((row) => row[1] === 'NC_GLOBAL' && row[2] === 'title')?.[4] ?? ''
}

/** Ids in the order this ERDDAP loaded them, from its own log; asking for the status page flushes the log. */
async function loads(node: DemoNode): Promise<string[]> {
  await fetch(`${node.url}/status.html`)
  const log = readFileSync(join(node.bigParentDir, 'logs', 'log.txt'), 'utf8')
  return [...log.matchAll(/^\*\*\* constructing EDD\w+ (\S+)$/gm)].map((match) => match[1] ?? '')
}
