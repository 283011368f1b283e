"""A cluster in one process, for drills with a real gateway: its modules, from the ground up:

  grace      the kubelet's arithmetic, pure
  clock      time that can be scaled
  node       processes: starts them, watches their end, finds what they left
  kubelet    the life of one pod: probes, hooks, stop, restart
  endpoints  the endpoint controller and the proxies of the nodes, each with its delay
  wire       HTTP/1.1 as a client sees it: which byte came, and how it ended
  client     an MCP client over Streamable HTTP or HTTP+SSE that behaves as a good one should
  load       clients that call, and the ledger of what became of each request
  score      what the ledger and the end of the pods come to
  cluster    all of these together: pods behind a Service
  gateways   how each gateway is started
  drills     the standard drills of one gateway

For drills of a whole Service (./dev drill), beside these:

  netns      a network namespace of our own
  conntrack  where a connection through the rules of iptables went
  balancers  HAProxy, nginx, and the rules of kube-proxy, as proxies
  scenarios  what is done to the pods, and the load meanwhile
  record     what came of it, as plain data, and the figures
  report     the same as a page with timelines

All durations are seconds of real life; the clock makes them seconds of this run. Nothing here knows Sluice but
`gateways`, and nothing needs the fixtures of the tests. Standard library only.
"""
