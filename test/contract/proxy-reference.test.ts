import { test } from 'vitest'
import { openReferenceProxy } from '../helpers/reference-proxy.ts'
import { proxyContract } from './proxy-driver.ts'

proxyContract('the reference', openReferenceProxy, { test, keepsConnections: true })
