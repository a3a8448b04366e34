import { afterAll, beforeAll } from 'vitest'
import { CONTRACT_FLAGS, type EtcdCluster, startEtcd } from '../helpers/etcd.ts'
import { isThere, needs } from '../helpers/needs.ts'
import { etcdOpener, hubOnEtcdOpener } from './store/etcd-opener.ts'
import { storeLinearizability } from './store-linearizability.ts'
import { storeProperties } from './store-properties.ts'
import { storeContract } from './store.ts'

const test = await needs({ tools: ['etcd'] })
let etcd: EtcdCluster | undefined

if (isThere('etcd')) {
  beforeAll(async () => void (etcd = await startEtcd({ flags: CONTRACT_FLAGS })))
  afterAll(async () => await etcd?.stop())
  const open = etcdOpener(() => etcd)
  storeContract('etcd', open, { restarts: true })
  storeLinearizability('etcd', open, { runs: 4 })
  storeProperties('etcd', open, { restarts: true, runs: 15 })

  const behindHub = hubOnEtcdOpener(() => etcd)
  storeContract('remote store over etcd', behindHub, { restarts: true })
  storeLinearizability('remote store over etcd', behindHub, { runs: 2 })
  storeProperties('remote store over etcd', behindHub, { restarts: true, runs: 8 })
} else test('etcd keeps the contract of the store', () => {})
