import { openHaproxy } from '../helpers/haproxy.ts'
import { needs } from '../helpers/needs.ts'
import { proxyContract } from './proxy-driver.ts'

const test = await needs({ tools: ['haproxy'] })

proxyContract('HAProxy', openHaproxy, { test, keepsConnections: true })
