# The configuration of a node. Set the addresses, the zone and the name, put the
# certificate and its key there, and say
#
#   sudo -u keyquorum keyquorum server --config /etc/keyquorum/keyquorum.hcl --check

listener "tcp" {
  address         = "10.0.0.1:8200"
  cluster_address = "10.0.0.1:8201"
  tls_cert_file   = "/etc/keyquorum/tls.pem"
  tls_key_file    = "/etc/keyquorum/tls-key.pem"
}

storage "raft" {
  path    = "/var/lib/keyquorum"
  node_id = "a"
}

gossip_listen = "10.0.0.1:8202"
usage_log     = "/var/log/keyquorum/audit.log"
zone          = ["vault.example.org=login.example.org"]
disk_reserve  = "1GiB"
log_format    = "json"
