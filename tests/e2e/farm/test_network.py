#!/usr/bin/env python3
"""test_network.py: coordinator and agents on hosts of their own (network namespaces on one bridge):
wires that are cut without a word, pulled out, slow, lossy; connections that are reset."""
import subprocess
import time

import judge
import rig

COUNT = 500
DEEDS = 80 if rig.ALL else 10
NETWORK = "10.77.0."
SLOW = ("tbf rate 2mbit burst 4kb latency 400ms", "tbf rate 6mbit burst 2kb limit 4kb",
        "netem delay 40ms 30ms", "netem loss 10% delay 5ms reorder 20%")


class Host:
    """A network namespace on the bridge."""

    def __init__(self, number):
        self.name, self.port = f"host{number}", f"port{number}"
        # Not `ip netns exec`: it needs a root that is a mount, which a chroot's is not.
        self.within = ("nsenter", f"--net=/run/netns/{self.name}")
        rig.quiet("ip", "netns", "add", self.name)
        rig.quiet("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns",
                  self.name)
        rig.quiet("ip", "link", "set", self.port, "master", "bridge0", "up")
        self.run("ip", "address", "add", f"{NETWORK}{number + 10}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def run(self, *command):
        return rig.quiet(*self.within, *command)

    def cut(self, whether):
        """Whatever is sent is gone; nobody is told."""
        rig.quiet("bridge", "link", "set", "dev", self.port, "state", "0" if whether else "3")

    def pull(self, whether):
        rig.quiet("ip", "link", "set", self.port, "down" if whether else "up")

    def reset(self):
        self.run("ss", "-K", "state", "connected")

    def slow(self, how):
        """Both ways; False if this kernel cannot."""
        for run, device in ((rig.quiet, self.port), (self.run, "eth0")):
            try:
                run("tc", "qdisc", "replace", "dev", device, "root", *how.split())
            except RuntimeError as error:
                if "unknown" not in str(error):
                    raise
                return False
        return True

    def fast(self):
        for command in (("tc",), (*self.within, "tc")):
            device = self.port if command == ("tc",) else "eth0"
            subprocess.run([*command, "qdisc", "delete", "dev", device, "root"],
                           stderr=subprocess.DEVNULL, check=False)


class Network(rig.Chaos):
    def make_farm(self):
        rig.quiet("mount", "-t", "tmpfs", "tmpfs", "/run")  # names of namespaces: ours alone
        rig.quiet("ip", "link", "add", "bridge0", "type", "bridge")
        rig.quiet("ip", "address", "add", f"{NETWORK}1/24", "dev", "bridge0")
        rig.quiet("ip", "link", "set", "bridge0", "up")
        self.hosts = [Host(number) for number in (1, 2, 3)]
        self.ways = [how for how in SLOW if self.hosts[0].slow(how)]
        self.hosts[0].fast()
        print("  wires can be", ", ".join(self.ways), flush=True)
        return rig.Farm(address=f"{NETWORK}1")

    def for_a_while(self):
        time.sleep(self.chance.uniform(0.1, 4.5))  # a lease is 3 s

    def cut_a_host(self):
        host = self.chance.choice(self.hosts)
        host.cut(True)
        self.for_a_while()
        host.cut(False)

    def pull_out_a_wire(self):
        host = self.chance.choice(self.hosts)
        host.pull(True)
        self.for_a_while()
        host.pull(False)

    def cut_all_hosts(self):
        for host in self.hosts:
            host.cut(True)
        self.for_a_while()
        for host in self.hosts:
            host.cut(False)

    def reset_connections(self):
        for _ in range(self.chance.randint(1, 5)):
            self.chance.choice(self.hosts).reset()

    def slow_a_host(self):
        """From now on, until its next change."""
        host = self.chance.choice(self.hosts)
        host.fast()
        host.slow(self.chance.choice(self.ways))

    def test_a_bad_network_loses_nothing(self):
        self.farm.coordinator.start()
        self.farm.serves()
        for host in self.hosts:
            self.farm.add_agent(host.name, within=host.within).start()
        self.slow_a_host()
        run = self.farm.submit(judge.write_jobs(self.farm.folder, COUNT))
        deeds = [self.cut_a_host, self.pull_out_a_wire, self.cut_all_hosts, self.reset_connections,
                 self.slow_a_host]
        self.follow(run, self.plan(deeds, DEEDS, 0, COUNT - 20))
        for host in self.hosts:
            host.fast()
        judge.Judge(self, run, COUNT).check_end()


if __name__ == "__main__":
    rig.main()
