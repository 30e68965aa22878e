package lightningd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/niftynei/glightning/glightning"
)

// initialise is the init method: glightning stores options and configuration,
// and the plugin's Init decides.
func (s *shim) initialise(params json.RawMessage) (any, error) {
	s.initMu.Lock()
	defer s.initMu.Unlock()
	if s.initialised {
		return nil, errors.New("init was called before")
	}
	reason := "lightningd's init message cannot be read"
	in, err := s.readInit(params)
	if err == nil {
		s.initialised = true
		reason = s.plugin.Init(in)
	} else {
		s.plugin.Log.Errorf("init: %v", err)
	}
	if reason != "" {
		// lightningd logs the reason at debug level only.
		s.plugin.Log.Errorf("disabled: %s", reason)
		return disabled{reason}, nil
	}
	return nil, nil
}

type disabled struct {
	Disable string `json:"disable"`
}

func (s *shim) readInit(params json.RawMessage) (Init, error) {
	var msg struct {
		Options       map[string]json.RawMessage `json:"options"`
		Configuration struct {
			LightningDir string `json:"lightning-dir"`
			RPCFile      string `json:"rpc-file"`
			Startup      bool   `json:"startup"`
			Network      string `json:"network"`
			Proxy        *struct {
				Address string `json:"address"`
				Port    uint16 `json:"port"`
			} `json:"proxy"`
			AlwaysUseProxy bool `json:"always_use_proxy"`
		} `json:"configuration"`
	}
	if err := json.Unmarshal(params, &msg); err != nil {
		return Init{}, err
	}
	conf := msg.Configuration
	if conf.LightningDir == "" || conf.RPCFile == "" || conf.Network == "" {
		return Init{}, errors.New("no lightning-dir, rpc-file or network")
	}
	options, err := json.Marshal(s.ownOptions(msg.Options))
	if err != nil {
		return Init{}, err
	}
	gl := glightning.NewInitRpcMethod(s.gl).Method.New().(*glightning.InitMethod)
	gl.Options = options
	gl.Configuration = &glightning.Config{
		LightningDir: conf.LightningDir, RpcFile: conf.RPCFile,
		Startup: conf.Startup, Network: conf.Network,
	}
	if _, err := gl.Call(); err != nil {
		return Init{}, err
	}
	in := Init{
		LightningDir: conf.LightningDir, RPCSocket: conf.RPCFile,
		Network: conf.Network, Startup: conf.Startup,
		AlwaysUseProxy: conf.AlwaysUseProxy, Options: make(map[string][]string),
	}
	if !filepath.IsAbs(in.RPCSocket) {
		in.RPCSocket = filepath.Join(conf.LightningDir, conf.RPCFile)
	}
	if conf.Proxy != nil {
		in.Proxy = net.JoinHostPort(conf.Proxy.Address, strconv.Itoa(int(conf.Proxy.Port)))
	}
	for _, o := range s.plugin.Options {
		if v := o.value.values(); len(v) > 0 {
			in.Options[o.value.GetName()] = v
		}
	}
	return in, nil
}

func (s *shim) ownOptions(all map[string]json.RawMessage) map[string]json.RawMessage {
	own := make(map[string]json.RawMessage)
	for _, o := range s.plugin.Options {
		if v, ok := all[o.value.GetName()]; ok {
			own[o.value.GetName()] = v
		}
	}
	return own
}

// check is the check command on one of our methods: its parameters are those
// of the method, with the method's name added in front or as command_to_check.
func (s *shim) check(params json.RawMessage) (any, error) {
	const member = "command_to_check"
	var name string
	var rest json.RawMessage
	members, list, err := Split(params)
	if err != nil {
		return nil, err
	}
	if list {
		if len(members) == 0 {
			return nil, paramsError("no command to check")
		}
		err = json.Unmarshal(members[0].Raw, &name)
		rest, _ = json.Marshal(rawValues(members[1:])) // valid JSON already
	} else {
		kept := members[:0]
		for _, m := range members {
			if m.Name == member {
				err = errors.Join(err, json.Unmarshal(m.Raw, &name))
				continue
			}
			kept = append(kept, m)
		}
		rest = joinMembers(kept)
	}
	if err != nil {
		return nil, paramsError(member + " is not a string")
	}
	e := s.names[name]
	if e == nil || e.method == nil {
		return nil, paramsError(fmt.Sprintf("%.64q is not a command of this plugin", name))
	}
	if err := e.method.Check(rest); err != nil {
		return nil, err
	}
	return map[string]string{member: name}, nil
}
