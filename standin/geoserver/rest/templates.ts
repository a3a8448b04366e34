import { type Answer, type Ask, done, list, Refusal, text } from '../http.ts'
import { folder } from '../places.ts'
import type { Routes } from '../router.ts'
import { param } from './objects.ts'

const ROOT = 'templates'
const ENTRIES = ['org.geoserver.rest.catalog.TemplateInfos', 'org.geoserver.rest.catalog.TemplateInfo'] as const

/** Every level that has templates. */
const LEVELS: readonly string[] = [
  '',
  '/workspaces/:ws',
  '/workspaces/:ws/datastores/:store',
  '/workspaces/:ws/datastores/:store/featuretypes/:name',
  '/workspaces/:ws/coveragestores/:store',
  '/workspaces/:ws/coveragestores/:store/coverages/:name',
]

export const templates: Routes = Object.assign(
  {},
  ...LEVELS.map((level): Routes => {
    const path = `/rest${level}/templates`
    return {
      [`GET ${path}`]: (ask) => listTemplates(ask, level),
      [`GET ${path}/:template`]: getTemplate,
      [`PUT ${path}/:template`]: putTemplate,
      [`DELETE ${path}/:template`]: deleteTemplate,
    }
  }),
)

/** The folder of the level: `templates` on top, otherwise that of the object itself. */
function folderOf(ask: Ask): string {
  const parts = ['ws', 'store', 'name'].flatMap((name) => ask.params[name] ?? [])
  const [ws, store] = parts
  if (ws === undefined) return ROOT
  const workspace = ask.world.catalog.workspace(ws)
  if (workspace === undefined) throw new Refusal(404, `No such workspace: '${ws}' found`)
  const dir = [folder(workspace), ...parts.slice(1)].join('/')
  if (store !== undefined && ask.world.files.kind(dir) !== 'directory')
    throw new Refusal(404, `No such resource: ${parts.join(',')}`)
  return dir
}

function fileFor(ask: Ask): string {
  const name = param(ask, 'template')
  if (!name.endsWith('.ftl') || name.includes('/')) throw new Refusal(404, `Template ${name} not found`)
  return `${folderOf(ask)}/${name}`
}

function listTemplates(ask: Ask, level: string): Answer {
  const at = level.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(param(ask, name))).slice(1)
  const names = ask.world.files.list(folderOf(ask)).filter((name) => name.endsWith('.ftl'))
  const within = at === '' ? '' : `${at}/`
  return list(
    ask,
    ...ENTRIES,
    names.map((name) => ({ name, href: `${within}templates/${name}` })),
  )
}

function getTemplate(ask: Ask): Answer {
  const body = ask.world.files.read(fileFor(ask))
  if (body === undefined) throw new Refusal(404, `Template ${param(ask, 'template')} not found`)
  return { status: 200, type: 'text/plain', body }
}

function putTemplate(ask: Ask): Answer {
  ask.world.files.write(fileFor(ask), ask.body)
  return text(201)
}

function deleteTemplate(ask: Ask): Answer {
  const file = fileFor(ask)
  if (ask.world.files.kind(file) === undefined) throw new Refusal(404, `Template ${param(ask, 'template')} not found`)
  ask.world.files.remove(file)
  return done
}
