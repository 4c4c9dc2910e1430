// Package opensearchtest drives the official clients of OpenSearch and Elasticsearch against a real OpenSearch server, straight
// and through the gateway as the process that users run. No registry has a runnable Elasticsearch: its clients meet a stand-in,
// which is the same OpenSearch behind a translation of the few things that differ.
package opensearchtest
