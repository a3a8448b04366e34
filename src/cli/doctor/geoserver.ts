import type { ApplicationSeen, DirectorySeen } from '../../app/geoserver-look.ts'
import { type AgentConfig, type GeoserverTarget, geoserverTargets } from '../../config/agent.ts'
import { PHRASE, readSecretFile } from '../../lib/secret-file.ts'
import type { Context } from '../context.ts'
import { countProblems, errorsOf } from '../findings.ts'
import { plural } from '../format.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'
import { watchFinding } from './files.ts'
import { replaces, space, writable } from './folders.ts'

/** What can be seen of the GeoServers of one node on its own machine. */
export function geoserverChecks(config: AgentConfig, context: Context): readonly Check[] {
  return geoserverTargets(config).flatMap(([tree, target]) => checksOf(`node ${config.node}, ${tree}`, target, context))
}

function checksOf(group: string, target: GeoserverTarget, { clock, signal }: Context): readonly Check[] {
  const { dataDirectory, passwordFile, url } = target
  const check = (name: string, needs: readonly string[], run: () => Promise<Finding>): Check => ({
    group,
    name,
    needs,
    run,
  })
  let seen: Promise<ApplicationSeen> | undefined
  const application = () =>
    (seen ??= (async () =>
      await (await import('../../app/geoserver-look.ts')).seeApplication(target, clock, { signal }))())
  let read: Promise<DirectorySeen> | undefined
  const directory = () =>
    (read ??= (async () =>
      await (await import('../../app/geoserver-look.ts')).seeDirectory(dataDirectory, clock, { signal }))())
  return [
    writable(group, 'data directory', dataDirectory, 'Correct `dataDirectory`, or mount what it lies on.'),
    replaces(group, dataDirectory),
    space(group, dataDirectory),
    check('catalog', ['data directory'], async () => catalogFinding(await directory(), dataDirectory)),
    check('parameters', ['data directory', 'catalog'], async () => parametersFinding(await directory())),
    check('watching', ['data directory'], async () => await localWatch(dataDirectory)),
    check('password file', [], async () => {
      await readSecretFile(passwordFile, PHRASE)
      return ok('readable, and by nobody else')
    }),
    check('GeoServer answers', ['password file'], async () => applicationFinding(await application(), url)),
    check('GeoWebCache', ['password file', 'GeoServer answers'], async () =>
      (await application()).hasTiles
        ? ok('its REST answers')
        : warn(
            'its REST does not answer',
            'Tiles are not dropped and tile layers not changed without it: is GeoWebCache off?',
          ),
    ),
  ]
}

function catalogFinding({ objects, problems }: DirectorySeen, folder: string): Finding {
  const errors = errorsOf(problems)
  const [first] = errors
  if (first !== undefined) {
    return fail(
      `${countProblems(problems)}, such as ${first.file}: ${first.message}`,
      first.hint ?? `flotilla catalog plan ${folder} --against ${folder} lists all.`,
    )
  }
  return ok(`whole: ${plural(objects, 'object or file', 'objects and files')}`)
}

function parametersFinding({ parameters, hasValues }: DirectorySeen): Finding {
  const [first] = parameters
  if (first === undefined) return ok('no store names any')
  const text = `${first}${parameters.length > 1 ? ` and ${parameters.length - 1} more` : ''} names \${…}`
  if (hasValues) return ok(`${text}; GeoServer must run with -DALLOW_ENV_PARAMETRIZATION=true`)
  return warn(
    `${text}, and there is no geoserver-environment.properties here`,
    'Start GeoServer with -DALLOW_ENV_PARAMETRIZATION=true, and give the values there or in its environment.',
  )
}

async function localWatch(folder: string): Promise<Finding> {
  const { isRemoteFolder } = await import('../../app/geoserver-look.ts')
  if (await isRemoteFolder(folder)) {
    return warn(
      `${folder} lies on a network share: changes are found by looking, every \`interval\``,
      'Give each node a data directory on its own disk; no two nodes may share one.',
    )
  }
  return await watchFinding([folder])
}

function applicationFinding({ application: seen, modules }: ApplicationSeen, url: string): Finding {
  if (seen.is === 'up') return ok(`version ${seen.version}, ${plural(modules, 'module')}`)
  if (seen.is === 'refused') return fail(seen.error.message, seen.error.hint ?? 'Correct `user` and `passwordFile`.')
  if (seen.is === 'down') return fail(`no answer from ${url}: ${seen.why}`, 'Start GeoServer, or correct `url`.')
  const fix = 'As a rule it reloads its catalog; look again in a minute.'
  return warn(`${url} is busy: its configuration is locked`, fix)
}

/** GeoServers of one catalog must be able to read what the others encrypt. */
export function keystoreChecks(configs: readonly AgentConfig[]): readonly Check[] {
  const all = configs.flatMap((config) =>
    geoserverTargets(config).map(([tree, { dataDirectory }]) => ({ tree, node: config.node, dataDirectory })),
  )
  return [...Map.groupBy(all, ({ tree }) => tree)].flatMap(([tree, own]) =>
    own.length < 2
      ? []
      : [{ group: `catalog ${tree}`, name: 'keystores', run: async () => await keystoreFinding(own) }],
  )
}

async function keystoreFinding(
  own: readonly { readonly node: string; readonly dataDirectory: string }[],
): Promise<Finding> {
  const { keystoreOf } = await import('../../app/geoserver-look.ts')
  const seen = await Promise.all(
    own.map(async ({ node, dataDirectory }) => ({ node, is: await keystoreOf(dataDirectory) })),
  )
  const [first] = seen
  const other = seen.find(({ is }) => is !== first?.is)
  if (other === undefined) return ok(`all ${own.length} the same`)
  return fail(
    `${other.node} has another keystore than ${first?.node}: it cannot read the passwords of the others`,
    'Give it security/geoserver.jceks and security/masterpw* of the others, then restart its GeoServer.',
  )
}
