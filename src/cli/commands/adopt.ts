import { resolve } from 'node:path'
import type { Look, SourceFound } from '../../app/adopt.ts'
import { clean } from '../../lib/clean.ts'
import { printGeoservers } from '../adopt-geoserver-view.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { countProblems } from '../findings.ts'
import { plural } from '../format.ts'

type Installation = Look['installations'][number]
type Differences = NonNullable<Look['differences']>

export const adopt = command({
  arguments: [
    {
      name: 'PATH',
      summary:
        "a server's content directory, bigParentDirectory or datasets.d, a GeoServer's data directory, or a folder around them",
      variadic: true,
      completes: 'folder',
    },
  ],
  options: { json: { type: 'flag', summary: 'print one JSON object' } },
  details:
    'Looks at what is there and writes nothing: what each ERDDAP or GeoServer has, what would be released and what is left out, ' +
    'what differs between servers, and the commands that take them in. Copy or mount the folders of other servers to compare them.',
  examples: [
    'flotilla adopt /usr/local/tomcat/content/erddap',
    'flotilla adopt /mnt/erd1 /mnt/erd2 /data/datasets.d',
    'flotilla adopt /srv/geoserver_data /mnt/geo2/geoserver_data',
  ],
  async run({ args, options }, context) {
    const { output, cwd, clock, signal } = context
    const { lookAt } = await import('../../app/adopt.ts')
    const paths = (args.PATH.length === 0 ? ['.'] : args.PATH).map((path) => resolve(cwd, path))
    const look = await lookAt(paths, clock, { signal })
    const { lookForCatalogs } = await import('../../app/adopt-geoserver.ts')
    const geoserver = await lookForCatalogs(paths, { clock, signal })
    if (options.json) {
      output.json('adopt', { ...plain(look), geoserver })
      return 0
    }
    const hasErddap = look.installations.length + look.sources.length > 0
    printGeoservers(geoserver, context)
    if (!hasErddap && geoserver.directories.length > 0) return 0
    if (!hasErddap) {
      output.print(`there is no ERDDAP, no folder of definitions and no GeoServer under ${paths.join(', ')}`)
      return 1
    }
    if (geoserver.directories.length > 0) output.print()
    for (const [index, one] of look.installations.entries()) printInstallation(one, index, context)
    for (const source of look.sources) printSource(source, context)
    for (const { path, lines } of look.scripts) {
      output.print(clean(`\n${path}: made with docker-erddap's datasets.d.sh`))
      for (const line of lines) output.print(clean(`  ${line}`))
      output.print('  in its place: flotilla datasets release; its ERDDAP_DATASETS_* go into template.xml')
    }
    if (look.differences !== undefined) printDifferences(look.differences, look.installations, context)
    if (look.cut) output.note('not everything was looked at, as there is too much: name the folders themselves')
    printProposal(look, context)
    return 0
  },
})

function printInstallation(one: Installation, index: number, { output }: Context): void {
  const { contentDirectory, bigParentDirectory, datasetsXml, hasReadIt, flags, baseUrl } = one
  output.print(output.paint('bold', clean(`${index === 0 ? '' : '\n'}ERDDAP ${index + 1}: ${contentDirectory}`)))
  output.print(clean(`  bigParentDirectory  ${bigParentDirectory ?? 'not known: no setup.xml says it'}`))
  if (baseUrl !== undefined) output.print(clean(`  baseUrl  ${baseUrl}`))
  if (datasetsXml === undefined) output.print('  datasets.xml  none that can be read')
  else {
    const off = [...datasetsXml.datasets.values()].filter(({ active }) => !active).length
    const read = hasReadIt === false ? ', not yet read by ERDDAP' : ''
    output.print(`  datasets.xml  ${plural(datasetsXml.datasets.size, 'dataset')}, ${off} switched off${read}`)
    if (datasetsXml.twice.length > 0) output.print(clean(`  twice, the first counts: ${some(datasetsXml.twice)}`))
    for (const finding of datasetsXml.findings) output.print(clean(`  ${finding}`))
  }
  if (flags > 0) output.print(`  ${plural(flags, 'flag')} not taken yet: is it running?`)
  output.print(`  logs  ${Math.ceil(one.logBytes / 1024 / 1024)} MiB`)
}

function printSource({ folder, layout, datasets, problems, error }: SourceFound, { output }: Context): void {
  output.print(output.paint('bold', clean(`\ndefinitions: ${folder}`)))
  if (error === undefined) {
    output.print(clean(`  ${plural(datasets, 'dataset')}; ${layout.join('; ')}`))
    output.print(
      `  ${countProblems(problems)}${problems.length === 0 ? '' : clean(`: flotilla datasets check ${folder}`)}`,
    )
  } else output.print(clean(`  ${error}`))
}

function printDifferences(
  { missing, unlike, switched, settings, setup }: Differences,
  installations: readonly Installation[],
  { output }: Context,
): void {
  output.print(output.paint('bold', '\nbetween these servers'))
  for (const index of installations.keys()) {
    const lacking = [...missing].filter(([, where]) => where.includes(index)).map(([id]) => id)
    if (lacking.length > 0) output.print(clean(`  ERDDAP ${index + 1} lacks ${lacking.length}: ${some(lacking)}`))
  }
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['defined unlike', unlike],
    ['on here, off there', switched],
    ['settings at the top of datasets.xml', settings],
    ['settings in setup.xml', setup],
  ]
  for (const [words, names] of lines) {
    if (names.length > 0) output.print(clean(`  ${words}: ${some(names)}`))
  }
  if (setup.includes('flagKeyKey'))
    output.print('  a flagKey of one server is refused by another: give all one flagKeyKey')
  if (missing.size + unlike.length + switched.length + settings.length + setup.length === 0) output.print('  nothing')
}

const SHOWN = 10

function some(names: readonly string[]): string {
  return names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '')
}

function printProposal({ installations, sources }: Look, { output }: Context): void {
  output.print(output.paint('bold', '\nto take them in'))
  const [source] = sources
  const folder = source?.folder ?? 'DIR'
  if (source === undefined) {
    const file = installations[0]?.contentDirectory ?? 'CONTENT'
    output.print(
      clean(`  mkdir DIR && cp ${file}/datasets.xml DIR/template.xml    # its datasets count like fragments`),
    )
  }
  output.print(clean(`  flotilla datasets check ${folder}`))
  const options = installations.length === 0 ? '' : ', with these options'
  output.print(`  flotilla up    # prints a line to type on each server${options}`)
  for (const { contentDirectory, bigParentDirectory } of installations) {
    const folders = `--content-dir ${contentDirectory} --big-parent-dir ${bigParentDirectory ?? 'BIG_PARENT'}`
    output.print(clean(`  flotilla join URL CODE --node NAME ${folders} --erddap-url URL_OF_ITS_ERDDAP`))
  }
  output.print(clean(`  flotilla datasets plan ${folder}    # what would be loaded; then datasets release`))
}

function plain({ installations, differences, ...rest }: Look): object {
  return {
    ...rest,
    installations: installations.map(({ setup, datasetsXml, ...one }) => ({
      ...one,
      setup: [...setup.keys()],
      datasetsXml: datasetsXml && {
        ...datasetsXml,
        datasets: Object.fromEntries(datasetsXml.datasets),
        settings: [...datasetsXml.settings.keys()],
      },
    })),
    differences: differences && { ...differences, missing: Object.fromEntries(differences.missing) },
  }
}
