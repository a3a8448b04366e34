import type { DataDirectoryFound, DirectoryDifferences, GeoserverLook } from '../app/adopt-geoserver.ts'
import { clean } from '../lib/clean.ts'
import { shellWord } from '../lib/shell-word.ts'
import type { Context } from './context.ts'
import { countProblems, errorsOf, printProblems } from './findings.ts'

const SHOWN = 10
const PROBLEMS_MAX = 20

const WHY_LEFT_OUT = {
  secret: 'keystore and master password: a release never holds them',
  data: 'data: distributed as files, not released',
  'node-local': 'belongs to this node: logs, tiles, caches',
  temporary: 'left over by GeoServer or an editor',
  unsafe: 'names that not every node could have',
} as const

/** What was found of GeoServers, what differs between them, and how to take them in. */
export function printGeoservers({ directories, differences }: GeoserverLook, context: Context): void {
  const { output } = context
  for (const [index, found] of directories.entries()) printDirectory(found, index, context)
  const [first] = directories
  for (const one of differences) printBetween(first?.folder ?? '', one, context)
  if (first === undefined) return
  output.print(output.paint('bold', '\nto take them in'))
  for (const line of proposal(directories)) output.print(clean(`  ${line}`))
}

function printDirectory(found: DataDirectoryFound, index: number, { output }: Context): void {
  const { folder, kinds, problems, leftOut, keystore, hasJms, error } = found
  output.print(output.paint('bold', clean(`${index === 0 ? '' : '\n'}GeoServer ${index + 1}: ${folder}`)))
  if (error !== undefined) {
    output.print(clean(`  ${error}`))
    return
  }
  const counts = Object.entries(kinds).map(([kind, count]) => `${count} ${kind}`)
  output.print(clean(`  would be released  ${counts.join(', ')}`))
  if (problems.length > 0) output.print(`  ${countProblems(problems)}`)
  printProblems(problems.slice(0, PROBLEMS_MAX), output)
  for (const [why, words] of Object.entries(WHY_LEFT_OUT)) {
    const paths = leftOut[why as keyof typeof WHY_LEFT_OUT]
    if (paths.length > 0) output.print(clean(`  left out  ${some(paths)}  (${words})`))
  }
  if (keystore === undefined) output.print('  no keystore: GeoServer has never started here')
  if (hasJms) {
    output.print(
      '  the JMS extension is configured (cluster/cluster.properties): docs/how-to/moving-from-geoserver-jms.md',
    )
  }
}

function printBetween(first: string, { folder, ...one }: DirectoryDifferences, { output }: Context): void {
  output.print(output.paint('bold', clean(`\nbetween ${first} and ${folder}`)))
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['lacks', one.onlyInFirst],
    ['has besides', one.onlyHere],
    ['has unlike', one.unlike],
  ]
  for (const [words, keys] of lines)
    if (keys.length > 0) output.print(clean(`  it ${words} ${keys.length}: ${some(keys)}`))
  if (one.hasOtherKeystore) {
    output.print(
      '  it has another keystore: it cannot read the passwords of the first. Copy security/geoserver.jceks and',
    )
    output.print('  security/masterpw* there before its GeoServer starts the next time')
  }
  const isSame = lines.every(([, keys]) => keys.length === 0) && !one.hasOtherKeystore
  if (isSame) output.print('  nothing')
}

function some(names: readonly string[]): string {
  return names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '')
}

function proposal(directories: readonly DataDirectoryFound[]): readonly string[] {
  const [first] = directories
  const broken = directories.filter(({ error, problems }) => error !== undefined || errorsOf(problems).length > 0)
  const mend = broken.map(({ folder }) => `# first mend what is wrong in ${folder}`)
  const joins = directories.flatMap(({ folder }, index) => {
    const role = index === 0 ? 'source' : 'replica'
    const code = index === 0 ? 'flotilla token join-code --source catalog' : 'flotilla token join-code'
    const line = `flotilla join URL CODE --node NAME --geoserver-data ${shellWord(folder)} --role ${role}`
    return [`${code}    # prints CODE`, `${line} --geoserver-url URL_OF_ITS_GEOSERVER --geoserver-password-file FILE`]
  })
  const others = directories.length > 1 ? ['flotilla catalog diff --node NAME    # what only the others have'] : []
  return [
    ...mend,
    'flotilla up    # the hub',
    ...joins,
    `flotilla catalog status    # the first release is what ${first?.folder} has`,
    ...others,
  ]
}
