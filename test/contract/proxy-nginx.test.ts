import { openNginx } from '../helpers/nginx.ts'
import { needs } from '../helpers/needs.ts'
import { proxyContract } from './proxy-driver.ts'

const test = await needs({ root: true, tools: ['nginx', 'nginx-lua'] })

proxyContract('nginx with Lua', async () => await openNginx(), { test, keepsConnections: true })
proxyContract('nginx without Lua', async () => await openNginx({ lua: false }), { test, keepsConnections: false })
