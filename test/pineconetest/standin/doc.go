// Package standin stands in for Pinecone where no real one can be had: a control plane and the hosts of its indexes, written
// from the published interface. It keeps records in memory, compares vectors by their real cosine, product or distance, and
// understands the filters over metadata; a model's vectors are made of the words of a text.
//
// It knows nothing of the gateway. Start at Start.
package standin
