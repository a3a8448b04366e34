import { tileCache } from './gwc/rest.ts'
import { done, json } from './http.ts'
import { ows } from './ows/services.ts'
import { about } from './rest/about.ts'
import { groups } from './rest/groups.ts'
import { layers } from './rest/layers.ts'
import { resource } from './rest/resource.ts'
import { resources } from './rest/resources.ts'
import { services } from './rest/services.ts'
import { settings } from './rest/settings.ts'
import { stores } from './rest/stores.ts'
import { styles } from './rest/styles.ts'
import { templates } from './rest/templates.ts'
import { workspaces } from './rest/workspaces.ts'
import { type Routes, Router } from './router.ts'
import { acl } from './security/acl.ts'
import { roles } from './security/roles.ts'
import { urlChecks } from './security/url-checks.ts'
import { userGroups } from './security/user-groups.ts'

const FONTS = ['DejaVu Sans', 'DejaVu Serif', 'Dialog', 'Monospaced', 'SansSerif', 'Serif']

const node: Routes = {
  'POST|PUT /rest/reload': async ({ world }) => {
    await world.reload()
    return done
  },
  'POST|PUT /rest/reset': ({ world }) => {
    world.styles.reset()
    return done
  },
  'GET /rest/fonts': () => json({ fonts: FONTS }),
}

export const router = new Router(
  node,
  about,
  workspaces,
  stores,
  resources,
  layers,
  groups,
  styles,
  templates,
  settings,
  services,
  resource,
  acl,
  roles,
  userGroups,
  urlChecks,
  tileCache,
  ows,
)
