package sweep

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/glrecover/glrecover/bolt3"
	"github.com/glrecover/glrecover/channel"
	"github.com/glrecover/glrecover/onchain"
)

// spend is how an input of ours is made.
type spend struct {
	use      KeyUse
	sequence uint32
	lockTime uint32
	// code is what the signature commits to: the witness script, or the output
	// script of a P2WPKH output. nil is a taproot key path.
	code    []byte
	witness func(sig []byte, key *btcec.PublicKey) wire.TxWitness
}

// spend is for every path but our own HTLC transactions.
func (w *work) spend(o onchain.Output) (*spend, error) {
	script := o.WitnessScript
	s := &spend{sequence: sequence, lockTime: o.CLTV, code: script}
	if o.CSV > 0 {
		s.sequence = o.CSV // BIP 68: blocks; it signals BIP 125 too
	}
	switch o.Path {
	case onchain.PathPayment:
		typ := w.c.Channel.Type
		s.use = w.use(PaymentKey)
		if typ == channel.Legacy {
			s.use = w.use(TweakedPaymentKey)
		}
		if script == nil {
			s.code = o.PkScript
		}
		s.witness = func(sig []byte, key *btcec.PublicKey) wire.TxWitness {
			return bolt3.ToRemoteWitness(typ, sig, key, script)
		}
	case onchain.PathDelayed:
		s.use = w.use(DelayedKey)
		s.witness = func(sig []byte, _ *btcec.PublicKey) wire.TxWitness { return bolt3.DelayedWitness(sig, script) }
	case onchain.PathPenalty:
		secret, ok := bolt3.SecretAt(w.c.Channel.State.Secrets, w.c.Close.Number)
		if !ok {
			return nil, errors.New("the revocation secret is not in the backup")
		}
		s.use = w.use(RevocationKey)
		s.use.Secret = secret
		s.witness = func(sig []byte, key *btcec.PublicKey) wire.TxWitness {
			if o.Role == onchain.OfferedHTLC || o.Role == onchain.ReceivedHTLC {
				return bolt3.HTLCPenaltyWitness(sig, key, script)
			}
			return bolt3.PenaltyWitness(sig, script)
		}
	case onchain.PathSuccess:
		preimage := w.preimages[o.HTLC.PaymentHash]
		s.use = w.use(HTLCKey)
		s.witness = func(sig []byte, _ *btcec.PublicKey) wire.TxWitness {
			return bolt3.HTLCPreimageWitness(sig, preimage, script)
		}
	case onchain.PathTimeout:
		s.use = w.use(HTLCKey)
		s.witness = func(sig []byte, _ *btcec.PublicKey) wire.TxWitness { return bolt3.HTLCExpiredWitness(sig, script) }
	case onchain.PathScript:
		return walletSpend(o.PkScript), nil
	case onchain.PathAnchor, onchain.PathNone:
		return nil, fmt.Errorf("no claim on the path %s", o.Path)
	}
	return s, nil
}

// walletSpend is for a P2WPKH or P2TR output of the wallet.
func walletSpend(pkScript []byte) *spend {
	s := &spend{use: KeyUse{Name: WalletKey, PkScript: pkScript}, sequence: sequence}
	if txscript.IsPayToTaproot(pkScript) {
		s.witness = func(sig []byte, _ *btcec.PublicKey) wire.TxWitness { return wire.TxWitness{sig} }
		return s
	}
	s.code = pkScript
	s.witness = func(sig []byte, key *btcec.PublicKey) wire.TxWitness {
		return wire.TxWitness{sig, key.SerializeCompressed()}
	}
	return s
}

// SignWallet signs an input that spends a P2WPKH or P2TR output of the wallet.
func SignWallet(keys Keys, tx *wire.MsgTx, index int, pkScript []byte, hashes *txscript.TxSigHashes, prevouts txscript.PrevOutputFetcher) (wire.TxWitness, error) {
	return walletSpend(pkScript).sign(keys, tx, index, hashes, prevouts)
}

// maxSig is a DER signature with its sighash byte at its longest: S is low.
const maxSig = 72

// someKey stands in for keys where only sizes matter.
var someKey = func() *btcec.PublicKey {
	_, key := btcec.PrivKeyFromBytes([]byte{1})
	return key
}()

// largest is the witness at its largest.
func (s *spend) largest() wire.TxWitness { return s.witness(make([]byte, maxSig), someKey) }

// sign makes the witness of an input.
func (s *spend) sign(keys Keys, tx *wire.MsgTx, index int, hashes *txscript.TxSigHashes, prevouts txscript.PrevOutputFetcher) (wire.TxWitness, error) {
	signer, err := keys.Signer(s.use)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", s.use.Name, err)
	}
	defer wipe(signer)
	if s.code == nil {
		taproot, ok := signer.(TaprootSigner)
		if !ok {
			return nil, fmt.Errorf("%s key: it cannot sign for a P2TR output", s.use.Name)
		}
		digest, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, tx, index, prevouts)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", index, err)
		}
		sig, err := taproot.SignTaproot([32]byte(digest))
		if err != nil {
			return nil, fmt.Errorf("%s key: %w", s.use.Name, err)
		}
		return s.witness(sig, nil), nil
	}
	sig, err := signWitness(signer, tx, index, hashes, s.code, prevouts)
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", s.use.Name, err)
	}
	id := signer.ID()
	key, err := id.Point()
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", s.use.Name, err)
	}
	return s.witness(sig, key), nil
}

// signWitness signs a version 0 input with SIGHASH_ALL.
func signWitness(signer Signer, tx *wire.MsgTx, index int, hashes *txscript.TxSigHashes, code []byte, prevouts txscript.PrevOutputFetcher) ([]byte, error) {
	value := prevouts.FetchPrevOutput(tx.TxIn[index].PreviousOutPoint).Value
	digest, err := txscript.CalcWitnessSigHash(code, hashes, txscript.SigHashAll, tx, index, value)
	if err != nil {
		return nil, err
	}
	sig, err := signer.Sign([32]byte(digest))
	if err != nil {
		return nil, err
	}
	return bolt3.WithHashType(sig.Serialize(), txscript.SigHashAll), nil
}
